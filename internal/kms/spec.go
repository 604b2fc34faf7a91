package kms

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
)

// Usage is what a key may be used for.
type Usage string

// The usages.
const (
	EncryptDecrypt    Usage = "ENCRYPT_DECRYPT"
	SignVerify        Usage = "SIGN_VERIFY"
	GenerateVerifyMAC Usage = "GENERATE_VERIFY_MAC"
	KeyAgreement      Usage = "KEY_AGREEMENT"
)

// SymmetricDefault is the spec of keys that encrypt, and the name of their algorithm: AES-256-GCM.
const SymmetricDefault = "SYMMETRIC_DEFAULT"

// Spec is a kind of key
// (https://docs.aws.amazon.com/kms/latest/developerguide/symm-asymm-choose-key-spec.html).
type Spec struct {
	Name string
	// Usages are those it may be made for; the first is the default where there is only one.
	Usages []Usage
	// Algorithms are those of each usage.
	Algorithms map[Usage][]string
	generate   func() ([]byte, error)
}

var (
	rsaSigning = []string{
		"RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512",
		"RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512",
	}
	rsaEncryption = []string{"RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"}
)

// specs are the kinds of key that can be made, by name. Of KMS's, ECC_SECG_P256K1, SM2 and ML_DSA are not here.
var specs = map[string]Spec{
	SymmetricDefault: {
		Name: SymmetricDefault, Usages: []Usage{EncryptDecrypt},
		Algorithms: map[Usage][]string{EncryptDecrypt: {SymmetricDefault}}, generate: random(DataKeySize),
	},
	"RSA_2048":              rsaSpec("RSA_2048", 2048),
	"RSA_3072":              rsaSpec("RSA_3072", 3072),
	"RSA_4096":              rsaSpec("RSA_4096", 4096),
	"HMAC_224":              hmacSpec("HMAC_224", "HMAC_SHA_224", 28),
	"HMAC_256":              hmacSpec("HMAC_256", "HMAC_SHA_256", 32),
	"HMAC_384":              hmacSpec("HMAC_384", "HMAC_SHA_384", 48),
	"HMAC_512":              hmacSpec("HMAC_512", "HMAC_SHA_512", 64),
	"ECC_NIST_P256":         eccSpec("ECC_NIST_P256", "ECDSA_SHA_256", elliptic.P256()),
	"ECC_NIST_P384":         eccSpec("ECC_NIST_P384", "ECDSA_SHA_384", elliptic.P384()),
	"ECC_NIST_P521":         eccSpec("ECC_NIST_P521", "ECDSA_SHA_512", elliptic.P521()),
	"ECC_NIST_EDWARDS25519": edwardsSpec(),
}

func rsaSpec(name string, bits int) Spec {
	return Spec{
		Name: name, Usages: []Usage{EncryptDecrypt, SignVerify},
		Algorithms: map[Usage][]string{EncryptDecrypt: rsaEncryption, SignVerify: rsaSigning},
		generate: func() ([]byte, error) {
			key, err := rsa.GenerateKey(rand.Reader, bits)
			if err != nil {
				return nil, err
			}
			return x509.MarshalPKCS8PrivateKey(key)
		},
	}
}

func hmacSpec(name, algorithm string, size int) Spec {
	return Spec{
		Name: name, Usages: []Usage{GenerateVerifyMAC},
		Algorithms: map[Usage][]string{GenerateVerifyMAC: {algorithm}}, generate: random(size),
	}
}

func eccSpec(name, algorithm string, curve elliptic.Curve) Spec {
	return Spec{
		Name: name, Usages: []Usage{SignVerify, KeyAgreement},
		Algorithms: map[Usage][]string{SignVerify: {algorithm}, KeyAgreement: {"ECDH"}},
		generate: func() ([]byte, error) {
			key, err := ecdsa.GenerateKey(curve, rand.Reader)
			if err != nil {
				return nil, err
			}
			return x509.MarshalPKCS8PrivateKey(key)
		},
	}
}

func edwardsSpec() Spec {
	return Spec{
		Name: "ECC_NIST_EDWARDS25519", Usages: []Usage{SignVerify},
		Algorithms: map[Usage][]string{SignVerify: {"ED25519_SHA_512", "ED25519_PH_SHA_512"}},
		generate: func() ([]byte, error) {
			_, key, err := ed25519.GenerateKey(rand.Reader)
			if err != nil {
				return nil, err
			}
			return x509.MarshalPKCS8PrivateKey(key)
		},
	}
}

func random(size int) func() ([]byte, error) {
	return func() ([]byte, error) {
		material := make([]byte, size)
		_, err := rand.Read(material)
		return material, err
	}
}

// specFor finds the spec and usage that CreateKey asks for, empty meaning the default.
func specFor(name string, usage Usage) (Spec, Usage, error) {
	if name == "" {
		name = SymmetricDefault
	}
	spec, ok := specs[name]
	if !ok {
		return spec, "", unsupported(fmt.Sprintf("KeySpec %s is not supported in this region.", name))
	}
	switch {
	case usage == "" && name == SymmetricDefault:
		usage = EncryptDecrypt
	case usage == "":
		// KMS has a default for symmetric encryption keys only.
		return spec, "", validation("You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.")
	}
	if spec.Algorithms[usage] == nil {
		return spec, "", validation(fmt.Sprintf("KeyUsage %s is not compatible with KeySpec %s", usage, name))
	}
	return spec, usage, nil
}
