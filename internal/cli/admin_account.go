package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"text/tabwriter"

	"github.com/dictum/dictum/internal/admin"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/server"
)

// AdminAccountCmd manages accounts, whether the server runs or not.
type AdminAccountCmd struct {
	Create  AdminAccountCreateCmd  `cmd:"" help:"Make an account and print its administrator's key as exports."`
	List    AdminAccountListCmd    `cmd:"" help:"List the accounts, the oldest first."`
	RootKey AdminAccountRootKeyCmd `cmd:"" name:"root-key" help:"Make an access key of an account's root and print it as exports."`
}

// AdminAccountCreateCmd makes an account.
type AdminAccountCreateCmd struct {
	Data string `help:"Data folder of the server." default:"${data}" type:"path"`
	Name string `arg:"" help:"Name of the account, for people."`
}

// Run implements the command.
func (c *AdminAccountCreateCmd) Run(ctx context.Context, s *streams) error {
	return operate(ctx, c.Data, func(o admin.Operator) error {
		k, err := o.CreateAccount(ctx, c.Name)
		if err != nil {
			return err
		}
		return printKey(s, k)
	})
}

// AdminAccountListCmd lists the accounts.
type AdminAccountListCmd struct {
	Data string `help:"Data folder of the server." default:"${data}" type:"path"`
}

// Run implements the command.
func (c *AdminAccountListCmd) Run(ctx context.Context, s *streams) error {
	return operate(ctx, c.Data, func(o admin.Operator) error {
		accounts, err := o.Accounts(ctx)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "ACCOUNT\tCREATED\tNAME")
		for _, a := range accounts {
			fmt.Fprintf(w, "%s\t%s\t%s\n", a.ID, moment(a.Created), a.Name)
		}
		return w.Flush()
	})
}

// AdminAccountRootKeyCmd makes a key of an account's root.
type AdminAccountRootKeyCmd struct {
	Data    string `help:"Data folder of the server." default:"${data}" type:"path"`
	Account string `arg:"" help:"The account's 12 digits."`
}

// Run implements the command.
func (c *AdminAccountRootKeyCmd) Run(ctx context.Context, s *streams) error {
	return operate(ctx, c.Data, func(o admin.Operator) error {
		k, err := o.CreateRootKey(ctx, c.Account)
		if err != nil {
			return err
		}
		return printKey(s, k)
	})
}

func operate(ctx context.Context, data string, f func(admin.Operator) error) error {
	err := server.Operate(ctx, data, f)
	var refusal *iam.Refusal
	switch {
	case errors.As(err, &refusal):
		return &exitError{exitUsage, err}
	case errors.Is(err, fs.ErrNotExist):
		return &exitError{exitSetup, fmt.Errorf("no server has run in %s yet: start one with: dictum serve --data %s", data, data)}
	}
	return err
}

// printKey prints a key as dictum env does; the account and who it is stand above as comments.
func printKey(s *streams, k admin.Key) error {
	var out strings.Builder
	fmt.Fprintf(&out, "# account %s, %s; the secret is not shown again\n", k.AccountID, k.ARN)
	fmt.Fprintf(&out, "export AWS_ACCESS_KEY_ID=%s\nexport AWS_SECRET_ACCESS_KEY=%s\n", shellQuote(k.AccessKeyID), shellQuote(k.SecretAccessKey))
	out.WriteString("unset AWS_SESSION_TOKEN AWS_PROFILE AWS_DEFAULT_PROFILE\n")
	_, err := s.out.Write([]byte(out.String()))
	return err
}
