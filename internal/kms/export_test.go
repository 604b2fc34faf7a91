package kms

import "context"

// What fuzz tests reach beyond the exported names.
var (
	ParseVaultAnswer = parseVaultAnswer
	ParseCiphertext  = func(blob []byte) (keyID string, version uint32, err error) {
		c, err := parseCiphertext(blob)
		return c.keyID, c.version, err
	}
	ParseKeyring = func(document []byte, source Source) error {
		_, err := parseKeyring(context.Background(), document, source)
		return err
	}
	ParseSecrets = func(plain []byte) error {
		_, err := parseSecrets(plain)
		return err
	}
)
