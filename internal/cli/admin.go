package cli

// AdminCmd is what the operator of a server does in its data folder.
type AdminCmd struct {
	Account AdminAccountCmd `cmd:"" help:"Make and list accounts."`
	Audit   AdminAuditCmd   `cmd:"" help:"Verify and export the audit log."`
	Keys    AdminKeysCmd    `cmd:"" help:"Rotate the keys that everything is encrypted under."`
}
