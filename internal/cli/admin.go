package cli

// AdminCmd is what the operator of a server does in its data folder.
type AdminCmd struct {
	Audit AdminAuditCmd `cmd:"" help:"Verify and export the audit log."`
}
