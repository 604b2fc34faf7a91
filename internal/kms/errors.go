package kms

import "errors"

// The errors of this package; compare with errors.Is.
var (
	// ErrUnsafeMode means that others than the owner may read a file of secrets.
	ErrUnsafeMode = errors.New("file of secrets is readable by others")
	// ErrBadRootKey means that what should be a root key is none.
	ErrBadRootKey = errors.New("not a root key")
	// ErrWrongRoot means that the keyring is wrapped by another root of trust than the one given.
	ErrWrongRoot = errors.New("the keyring was not wrapped by this root key")
	// ErrBadKeyring means that the keyring is damaged.
	ErrBadKeyring = errors.New("damaged keyring: restore it from your backup")
	// ErrNoKeyring means that a Root is in memory only and can't be rotated.
	ErrNoKeyring = errors.New("no keyring file")
	// ErrSourceUnavailable means that the root of trust can't be asked now; it may be later.
	ErrSourceUnavailable = errors.New("root of trust unavailable")
	// ErrRefusedByVault means that Vault says no: a wrong token, a policy, an unknown key.
	ErrRefusedByVault = errors.New("refused by vault")
	// ErrBadVaultAnswer means that a server answered what Vault would not.
	ErrBadVaultAnswer = errors.New("unexpected answer")
	// ErrSealed means that something sealed can't be opened: another key, another context, or changed bytes.
	ErrSealed = errors.New("can't open what was sealed: wrong key, wrong context or damaged")
	// ErrUnknownKey means that a data key is wrapped by a key that this keeper does not have.
	ErrUnknownKey = errors.New("unknown wrapping key")
	// ErrKeyGone means that a customer's key does not exist, or not any more: what it wrapped can't be read.
	ErrKeyGone = errors.New("no such key")
	// ErrKeyDisabled means that a customer's key is disabled: it may be enabled again.
	ErrKeyDisabled = errors.New("key is disabled")
	// ErrKeyPendingDeletion means that a customer's key is about to be deleted, which can be cancelled.
	ErrKeyPendingDeletion = errors.New("key is pending deletion")
	// ErrKeyUsage means that a key is not of the kind that can do this: RSA, HMAC.
	ErrKeyUsage = errors.New("key can't be used for this")
	// ErrAliasExists means that the alias is taken, ErrNoAlias that there is none of the name.
	ErrAliasExists = errors.New("alias exists")
	ErrNoAlias     = errors.New("no such alias")
)
