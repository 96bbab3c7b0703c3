"""What can go wrong while a user is asked, or with what the user gave. Joins the catalogue of `connections`.

No text holds a provider's own words, an address or a value (T09, T27).
"""

from connections.troubleshooting import Who, rows

_USER = rows(
    Who.USER,
    (
        "refresh_token_ended",
        "The provider has ended the access",
        "It was taken back at the provider, expired there, or was not used for too long; or the provider wants the "
        "person to sign in again.",
        "Open the consent link, sign in and allow it again.",
    ),
    (
        "interrupted_refresh",
        "The access was lost while it was renewed",
        "An earlier renewal was cut off, and the provider does not accept the old token a second time.",
        "Open the consent link, sign in and allow it again.",
    ),
    (
        "access_token_ended",
        "The access has expired",
        "The provider gave no token to renew it with. Many providers give one only for the scope offline_access.",
        "Open the consent link, sign in and allow it again.",
    ),
    (
        "access_token_refused",
        "The endpoint no longer accepts the access",
        "It was taken back at the provider or ended there early, and there is no token to renew it with.",
        "Open the consent link, sign in and allow it again.",
    ),
    (
        "address_changed",
        "The connection has changed since it was allowed",
        "An administrator changed where the access would be sent, or at which provider it was given. It is never sent "
        "to another address than the one that was agreed to.",
        "Look at what is asked now, and allow it again.",
    ),
    (
        "managed_app_withdrawn",
        "The publisher's app was taken away",
        "The owner of this portal had removed it, or the endpoint from the list that it may serve. Everything that was "
        "given through it ended with that.",
        "Look at what is asked now, and allow it again.",
    ),
    (
        "managed_app_changed",
        "This portal has another app at the publisher now",
        "The owner of this portal registered it anew, or for other addresses. What was given to the former one is no "
        "longer used.",
        "Look at what is asked now, and allow it again.",
    ),
    (
        "token_unreadable",
        "The stored access can't be opened",
        "It was sealed for other addresses, or its row was changed in the database.",
        "Open the consent link, sign in and allow it again.",
    ),
    (
        "disconnected_by_user",
        "The user has disconnected the agent",
        "Its access was taken back in My consents.",
        "To let the agent act again, open the consent link and allow it.",
    ),
    (
        "disconnected_by_administrator",
        "An administrator has ended the consent",
        "It was revoked on the page of the connection.",
        "Ask the administrator why. To let the agent act again, open the consent link and allow it.",
    ),
    (
        "restored_from_backup",
        "The portal was restored from a backup",
        "Its copy of the access was older than what the provider had given since.",
        "Open the consent link, sign in and allow it again.",
    ),
    (
        "erased",
        "The person's consents were erased",
        "Everything that they had allowed was ended and deleted here.",
        "To let the agent act again, open the consent link and allow it.",
    ),
    (
        "user_left",
        "The person's account here was deactivated",
        "Everything that they had allowed was ended with it.",
        "If they come back, they open the consent link and allow it again.",
    ),
    (
        "agent_deleted",
        "The agent was deleted",
        "Everything that people had allowed it was ended with it.",
        "Nothing has to be done. Another agent asks for its own consent.",
    ),
    (
        "connection_deleted",
        "The connection was deleted",
        "Everything that people had allowed through it was ended with it.",
        "Nothing has to be done. Another connection asks for its own consent.",
    ),
    (
        "cancellation_unconfirmed",
        "The provider did not confirm that the access is cancelled",
        "The agent lost it here at once. The provider was told again and again, and has not confirmed it, or says that "
        "it does not cancel such access.",
        "Take the access back in your account at the provider.",
    ),
    (
        "connected_again",
        "The account was connected again before the provider was told",
        "Some providers would cancel the new access along with the old one, so it is no longer told of the old.",
        "To be sure, disconnect the agent.",
    ),
    (
        "more_access_wanted",
        "The endpoint asks for more than was allowed",
        "It let the call in, and refused it for want of a scope that the user has not given. What they gave before "
        "stays, and calls that it suffices for go on.",
        "Open the consent link, look at what is new, and allow it if you expect it. If not, decline.",
    ),
    (
        "agent_blocked_by_user",
        "The user has blocked the agent",
        "They said that they did not ask for what it wanted. It gets neither a link nor an answer for them.",
        "The user can unblock the agent in My consents.",
    ),
    (
        "provider_denied",
        "You did not allow it at the provider",
        "The provider says that access was denied. Nothing was shared.",
        "If you want the agent to act for you, try again and allow it there.",
    ),
    (
        "account_differs",
        "The account is not your own",
        "The provider names another e-mail address than the one you sign in with here, and this connection is for "
        "people's own accounts.",
        "Sign out at the provider, and sign in there with your own account.",
    ),
    (
        "account_changed",
        "Another account than before",
        "The account at the provider is not the one that was connected until now.",
        "If you meant to change it, disconnect the agent in My consents first, and connect the other account then. If "
        "not, sign in at the provider with the account that you used before.",
    ),
    (
        "code_refused",
        "The provider did not accept its own answer",
        "The sign-in took too long, or its answer was used before.",
        "Try again. If it happens each time, an administrator should compare the redirect URL and PKCE with the app "
        "registration.",
    ),
    (
        "consent_link_unknown",
        "There is no such link",
        "It was copied incompletely, or the agent or the connection it was made for was deleted.",
        "Ask the agent again in your conversation: you get a new link.",
    ),
    (
        "consent_wrong_person",
        "This link was made for someone else",
        "Nobody can consent for another person. Nothing was changed, and the link still works for the person it was "
        "made for.",
        "If someone sent you this link, don't sign in as them. If you want to use the agent yourself, ask it in your "
        "own conversation: you get a link of your own.",
    ),
    (
        "consent_link_ended",
        "This link has ended",
        "A link works for one hour, and only until it is answered or the connection is changed.",
        "Make a new one.",
    ),
    (
        "consent_answer_unknown",
        "This sign-in is not known here",
        "The answer belongs to no sign-in that is still open. It may have been completed before, or begun again since.",
        "Look in My consents whether the agent is connected. If it is not, open your link again.",
    ),
    (
        "consent_answer_foreign",
        "This sign-in was begun for another connection",
        "The provider sent its answer to the address of a connection that it does not belong to. Nothing was shared.",
        "Don't go on. Tell the owner of this portal: a provider may try to get at the access of another one.",
    ),
    (
        "consent_answer_used",
        "This sign-in was answered before",
        "Each answer of a provider counts once.",
        "Look in My consents whether the agent is connected. If it is not, open your link again.",
    ),
    (
        "consent_other_browser",
        "This sign-in was begun in another browser",
        "What is begun in one browser ends in the same one, and begun again elsewhere it counts only there. Nothing "
        "was shared.",
        "Open your link again and continue in this browser.",
    ),
    (
        "consent_flow_ended",
        "This sign-in took too long",
        "A sign-in is open for ten minutes, and only while its link is.",
        "Open your link again.",
    ),
)

_ADMINISTRATOR = rows(
    Who.ADMINISTRATOR,
    (
        "user_token_refused",
        "The endpoint does not accept the user's token",
        "The user has consented, and the endpoint refuses what the provider gave: the scopes or the resource are not "
        "those that it expects, or it trusts another provider.",
        "Compare scopes, resource and provider of the connection with the endpoint's documentation.",
    ),
    (
        "more_access_refused",
        "The endpoint asks again for what the user was asked for",
        "It refuses the call for want of a scope that the provider did not give, that the user declined, or that they "
        "have given already; or it has named too many. A person is asked three times for the same scopes, and ten "
        "times in all, within a week.",
        "Compare the connection's scopes with the endpoint's documentation, and with what the app registration may "
        "ask for.",
    ),
    (
        "oauth_client_refused",
        "The provider refused the app registration",
        "The client ID or client secret is wrong, has expired, or is sent in another way than the provider expects. "
        "What users have given stays.",
        "Compare client ID, client secret and client authentication of the connection with the app registration. Where "
        "the connection uses a publisher's app of this portal, ask the portal's owner to.",
    ),
    (
        "oauth_not_finished",
        "The connection is not finished",
        "Its client ID or client secret is missing, or the secret was cleared because an address was changed.",
        "Open the connection and enter what is missing. A public app has no secret: choose so under More settings.",
    ),
    (
        "provider_refused_request",
        "The provider refused what was asked of it",
        "A scope, the resource or another parameter of the connection is not one that it knows or allows.",
        "Compare scopes, resource and extra parameters of the connection with the provider's documentation.",
    ),
    (
        "issuer_mismatch",
        "The answer came from another provider than expected",
        "The connection names an issuer, and the answer names another one or none. Nothing was shared.",
        "Compare the issuer of the connection with the provider's documentation. If it is right, don't use the "
        "connection and tell the owner of this portal.",
    ),
    (
        "account_unproven",
        "The provider does not say whose account it is",
        "The connection compares a claim with people's e-mail addresses, and the provider gave none, or has not "
        "verified the address.",
        "Compare scopes, issuer, userinfo URL and the compared claim of the connection with the provider's "
        "documentation; many give an address only for the scope email.",
    ),
    (
        "id_token_refused",
        "What the provider says about the account could not be verified",
        "Its id token is not signed with a key of the connection's issuer, is for another app or another sign-in, or "
        "has expired. Nothing was shared.",
        "Compare issuer and client ID of the connection with the provider's documentation, and the portal's clock. If "
        "they are right, don't use the connection and tell the owner of this portal.",
    ),
    (
        "account_swapped",
        "The provider names two accounts for one sign-in",
        "Its id token and its userinfo address name different accounts. Nothing was shared.",
        "Compare the userinfo URL of the connection with the issuer. If they belong together, don't use the "
        "connection and tell the owner of this portal.",
    ),
    (
        "role_needed_to_connect",
        "A role is needed to connect an account",
        "You need at least the Azure AI User role on the project, or Foundry Agent Consumer; Owner or Contributor "
        "alone does not let anybody connect an account.",
        "Ask an owner of the project for the Azure AI User role.",
    ),
    (
        "consent_not_possible",
        "Nothing can be allowed at present",
        "The agent or the connection is disabled, or the agent may not use the connection any more.",
        "Enable it on its page, or give the connection to the agent, if it should work again.",
    ),
)

_PORTAL_OWNER = rows(
    Who.PORTAL_OWNER,
    (
        "managed_app_missing",
        "The publisher's app is not registered on this portal",
        "The connection uses managed OAuth, and the owner of this portal has removed the publisher's app, or has not "
        "registered it yet.",
        "Ask the owner of this portal to register the app, or choose Custom OAuth on the connection.",
    ),
    (
        "managed_endpoint_not_listed",
        "The endpoint is not listed for the publisher's app",
        "The connection uses managed OAuth, and one of its addresses is at an origin that the app may not serve. No "
        "access is asked for, and none is sent there.",
        "Ask the owner of this portal to list the endpoint's origin for the app.",
    ),
    (
        "managed_app_unfinished",
        "The publisher's app has no secret that can be used",
        "The owner of this portal has changed the app and not entered its secret yet, or it was stored for other "
        "addresses of the publisher.",
        "The owner of this portal enters the app's secret anew under Managed OAuth.",
    ),
)

_PROVIDER = rows(
    Who.PROVIDER,
    (
        "refresh_uncertain",
        "The provider's answer was lost while the access was renewed",
        "The connection to it broke, or it answered with an error of its own. It may have renewed the access already.",
        "Try again in some seconds. If the access is lost, the user gets a new consent link.",
    ),
    (
        "provider_unavailable",
        "The provider can't be reached or is busy",
        "It did not answer in time, or limits how often it can be asked.",
        "Try again in a minute.",
    ),
    (
        "provider_failed",
        "The provider could not complete the sign-in",
        "It answered with an error of its own, or with something that is no valid answer. Nothing was shared.",
        "Try again. If it happens each time, an administrator should check the connection's URLs.",
    ),
)

ENTRIES = [*_USER, *_ADMINISTRATOR, *_PORTAL_OWNER, *_PROVIDER]
