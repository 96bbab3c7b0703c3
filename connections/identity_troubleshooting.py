"""What can go wrong with identities and their tokens. Joins the catalogue of `connections`.

No text holds Entra's own words, an id or an address (T09, T27). The AADSTS numbers behind each code stand in
`portal.identities.failures`.
"""

from connections.troubleshooting import Who, rows

_ADMINISTRATOR = rows(
    Who.ADMINISTRATOR,
    (
        "identity_disabled",
        "The identity is disabled",
        "Somebody disabled it on the project's Identities page. It gets no token, and what it had is not used.",
        "Enable it on the Identities page if its agents should work again.",
    ),
    (
        "identity_not_set_up",
        "The identity is not set up",
        "Its ids are not entered yet. An identity of Microsoft Entra is created in the tenant, not by this portal.",
        "Open the Identities page: it says who must create it, with which commands, and takes the ids.",
    ),
    (
        "blueprint_proof_missing",
        "The blueprint has no proof",
        "No client secret or certificate is entered for the agent identity blueprint, or it was cleared because "
        "blueprint or tenant were changed.",
        "Enter the client secret or the certificate on the Identities page.",
    ),
    (
        "blueprint_certificate_unusable",
        "The blueprint's certificate can't be used",
        "It must be one PEM text with the certificate and its RSA key; the key is not encrypted, and the two belong "
        "together.",
        "Enter certificate and key again on the Identities page.",
    ),
    (
        "blueprint_certificate_expired",
        "The blueprint's certificate has expired",
        "Microsoft Entra accepts no certificate after its last day.",
        "Make a new certificate, add it to the blueprint in Microsoft Entra, and enter it on the Identities page.",
    ),
    (
        "entra_secret_invalid",
        "Microsoft Entra refuses the client secret",
        "It is not one of the blueprint's client secrets. Often the secret's id was copied instead of its value.",
        "Create a new client secret for the blueprint, copy its value and enter it on the Identities page.",
    ),
    (
        "entra_secret_expired",
        "The blueprint's client secret has expired",
        "Client secrets of Microsoft Entra end on a day that was chosen when they were created.",
        "Create a new client secret for the blueprint and enter it on the Identities page. A certificate or a managed "
        "identity needs no such renewal.",
    ),
    (
        "entra_certificate_refused",
        "Microsoft Entra refuses the certificate",
        "It is not one of the blueprint's certificates, has expired there, or this portal's clock is wrong.",
        "Upload the certificate to the blueprint in Microsoft Entra, or enter the one that is registered there.",
    ),
    (
        "entra_tenant_unknown",
        "Microsoft Entra does not know the tenant",
        "The tenant id is misspelled, or the tenant belongs to another cloud than the one that this portal asks.",
        "Compare the tenant id on the Identities page with the overview page of Microsoft Entra. For another cloud, "
        "ask the owner of this portal to set ENTRA_AUTHORITY.",
    ),
    (
        "entra_tenant_wrong",
        "The token comes from the wrong tenant or issuer",
        "No federated credential of the blueprint or identity names the issuer of the token that proves it. Agent "
        "identities are of one tenant: blueprint, identity and proof must be in the same one.",
        "Compare the tenant id on the Identities page, and the issuer in the federated credential.",
    ),
    (
        "entra_audience_invalid",
        "The audience is not written as Microsoft Entra expects",
        "It must be one application id URI, like api://contoso-hr or https://storage.azure.com, without a path of "
        "its own.",
        "Choose the audience that the endpoint's documentation names, or ask the owner of this portal to list it.",
    ),
    (
        "entra_token_refused",
        "The endpoint does not accept the token",
        "The audience is not the one that the endpoint expects, or the endpoint does not trust the token's issuer "
        "or tenant.",
        "Compare the audience of the connection with the endpoint's documentation, and tell the endpoint's owner "
        "which issuer and tenant the Identities page shows.",
    ),
)

_TENANT_ADMINISTRATOR = rows(
    Who.TENANT_ADMINISTRATOR,
    (
        "entra_application_unknown",
        "Microsoft Entra does not know the blueprint or the identity",
        "There is no such application in the tenant, its service principal was not created, or the agent identity "
        "belongs to another blueprint. The object id may have been entered instead of the application id.",
        "Create blueprint, its principal and the agent identity in the tenant, and compare the application ids with "
        "those on the Identities page.",
    ),
    (
        "entra_application_disabled",
        "The blueprint or the identity is disabled in Microsoft Entra",
        "An administrator of the tenant, or Microsoft, has disabled the application.",
        "Enable it in Microsoft Entra, under Enterprise applications.",
    ),
    (
        "entra_federation_mismatch",
        "No federated credential fits",
        "Issuer, subject and audience of the token that proves the blueprint or identity must be exactly those of one "
        "of its federated credentials; case matters, and a new one takes some minutes to work.",
        "Compare the federated credential in Microsoft Entra with the managed identity's principal id or the service "
        "account. The audience is api://AzureADTokenExchange.",
    ),
    (
        "entra_federation_unreadable",
        "Microsoft Entra can't read the keys of the token's issuer",
        "The issuer of the federated token must publish its metadata and keys on the public internet.",
        "Make the issuer's OpenID metadata reachable from the internet, and try again.",
    ),
    (
        "entra_assertion_refused",
        "Microsoft Entra refuses the blueprint's assertion",
        "The token that proves the blueprint or the agent identity is not one that it accepts for this: it is of "
        "another kind, or for another application.",
        "Compare blueprint, agent identity and federated credential in Microsoft Entra. The agent identity must be "
        "one of this blueprint.",
    ),
    (
        "entra_flow_not_permitted",
        "Microsoft Entra does not allow this way to a token",
        "The application may not get application tokens in this way. The ids of the blueprint and of the agent "
        "identity may be exchanged, or the tenant does not allow agent identities.",
        "Compare both ids on the Identities page with Microsoft Entra, and allow agent identities in the tenant.",
    ),
    (
        "entra_audience_unknown",
        "Microsoft Entra does not know the audience",
        "The tenant has no application with this application id URI: it is misspelled, or the service was never "
        "added to the tenant.",
        "Compare the audience with the application id URI of the service. Add the service's application to the tenant "
        "if it is missing.",
    ),
    (
        "entra_audience_disabled",
        "The service behind the audience is disabled in Microsoft Entra",
        "Its application is disabled in the tenant, for example because a subscription has ended.",
        "Enable the service's application in Microsoft Entra, under Enterprise applications.",
    ),
    (
        "entra_assignment_missing",
        "The identity is not assigned to the service",
        "The service's application gives tokens only to those who are assigned to it.",
        "Assign an app role of the service's application to the identity. It works within about 10 minutes.",
    ),
    (
        "entra_consent_missing",
        "An administrator has not agreed to the identity's permissions",
        "The service gives this identity a token only once an administrator of the tenant has granted the permission.",
        "Grant admin consent for the identity's permissions in Microsoft Entra.",
    ),
    (
        "entra_policy_blocked",
        "A policy of the tenant blocks the identity",
        "Conditional Access, security defaults or tenant restrictions do not allow this token from where this portal "
        "runs.",
        "Look at the sign-in logs of service principals in Microsoft Entra: they name the policy. Change it, or the "
        "place that the portal asks from.",
    ),
    (
        "entra_refused",
        "Microsoft Entra refuses the token",
        "It gave a reason that this portal does not know.",
        "Look at the sign-in logs of service principals in Microsoft Entra at the time of the attempt.",
    ),
)

_PORTAL_OWNER = rows(
    Who.PORTAL_OWNER,
    (
        "audience_not_listed",
        "The audience may not be used at this endpoint",
        "A token is sent only to addresses that the owner of this portal has listed for its audience. All addresses "
        "of the endpoint's agent card must be listed.",
        "List the endpoint's origin for the audience if the endpoint may have such tokens.",
    ),
    (
        "host_identity_missing",
        "No identity of this host is allotted",
        "A managed identity is used only by the client id of a user-assigned one that the owner of this portal has "
        "allotted to the project. The host's own identity is never used.",
        "Allot a user-assigned managed identity to the project, by its client id, or choose another proof.",
    ),
    (
        "no_managed_identity",
        "There is no managed identity on this machine",
        "Nothing answers where Azure has its managed identity endpoint: the portal does not run on Azure, or a "
        "firewall or container network is between.",
        "Run the portal on Azure with a user-assigned managed identity and let its processes reach the endpoint, or "
        "choose another proof.",
    ),
    (
        "managed_identity_not_found",
        "This machine does not have the managed identity",
        "The managed identity endpoint answered, but the identity with this client id is not assigned to the machine, "
        "or the endpoint does not know the audience.",
        "Assign the user-assigned managed identity to the machine or app, and compare its client id.",
    ),
    (
        "managed_identity_busy",
        "The managed identity endpoint is not ready",
        "It was asked too often, is being updated, did not answer in time, or failed. App Service also answers so for "
        "an audience that it does not know.",
        "Nothing, if it passes within minutes. Otherwise compare the audience, and restart the machine or app.",
    ),
    (
        "managed_identity_refused",
        "The managed identity endpoint refuses this portal",
        "The request was forbidden: a policy or proxy of the host is between, or IDENTITY_HEADER is that of an earlier "
        "start.",
        "Let the portal's processes reach the managed identity endpoint directly, and restart them.",
    ),
    (
        "managed_identity_unreadable",
        "The managed identity endpoint's answer can't be read",
        "Something else than a managed identity endpoint answers there, or its answer holds no usable token.",
        "Look at what is between the portal's processes and the endpoint, such as a proxy.",
    ),
    (
        "managed_identity_unsupported",
        "This kind of host does not let a managed identity be chosen",
        "Service Fabric, Azure Arc, Azure Machine Learning and Cloud Shell give the identity of the host itself, "
        "which this portal never uses.",
        "Choose another proof, or run the portal on App Service, Container Apps, Kubernetes or a virtual machine.",
    ),
    (
        "no_token_file",
        "There is no federated token file",
        "AZURE_FEDERATED_TOKEN_FILE names no file that the portal's processes can read, or the file holds no token.",
        "Turn on workload identity for the portal's pods, or mount a token of the service account for the audience "
        "api://AzureADTokenExchange.",
    ),
    (
        "entra_assertion_expired",
        "What proves the identity has expired",
        "The federated token or the signed assertion was outside of its time: the file is not renewed, or the clock "
        "of this portal's host is wrong.",
        "Check the host's clock, and that the federated token file is renewed.",
    ),
    (
        "entra_unreachable",
        "Microsoft Entra can't be reached",
        "It did not answer in time, the connection broke, or its certificate is not trusted. Tokens that are still "
        "valid go on being used.",
        "Let the portal's processes reach login.microsoftonline.com, or the authority of ENTRA_AUTHORITY, on port 443. "
        "Where a proxy breaks up TLS, name its authority in OUTBOUND_CA_FILE.",
    ),
    (
        "entra_answer_unreadable",
        "What answered is not Microsoft Entra",
        "The answer holds no usable token. Often a proxy answers in its place.",
        "Compare ENTRA_AUTHORITY, and look at what is between the portal's processes and Microsoft Entra.",
    ),
)

_ENDPOINT_OWNER = rows(
    Who.ENDPOINT_OWNER,
    (
        "entra_endpoint_403",
        "The endpoint does not let the identity in",
        "It accepted the token, but the identity has no role there. Roles do not carry over when an agent is "
        "published, and a new role assignment takes up to 10 minutes to propagate.",
        "Assign the role to the identity that the agent uses now: its own when it is published, else the one shared "
        "by the project. The Identities page shows its principal ID.",
    ),
)

_PROVIDER = rows(
    Who.PROVIDER,
    (
        "entra_busy",
        "Microsoft Entra is busy or unavailable",
        "It limits how often it can be asked, or has a failure of its own. Tokens that are still valid go on being "
        "used.",
        "Try again in a minute.",
    ),
    (
        "identity_provider_unavailable",
        "No token came in time",
        "Another process of this portal was asking for the token and did not end.",
        "Try again in a minute.",
    ),
)

ENTRIES = [*_ADMINISTRATOR, *_TENANT_ADMINISTRATOR, *_PORTAL_OWNER, *_ENDPOINT_OWNER, *_PROVIDER]
