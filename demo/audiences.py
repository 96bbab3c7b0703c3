"""For whom the tokens at the demo's two agents for staff have to be."""

HR = "api://contoso-hr"
PAYROLL = "api://contoso-payroll"
