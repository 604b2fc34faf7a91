// Package kms is the API of the Key Management Service, AWS JSON 1.1: requests in, calls of the domain, AWS's
// answers out. What a key is and may do is internal/kms's business. Start at New.
//
// Source: https://docs.aws.amazon.com/kms/latest/APIReference/.
package kms

import (
	"context"
	"maps"
	"slices"

	"github.com/dictum/dictum/internal/aws/awserr"
	"github.com/dictum/dictum/internal/aws/awsjson"
	"github.com/dictum/dictum/internal/gateway"
	"github.com/dictum/dictum/internal/iam"
	"github.com/dictum/dictum/internal/kms"
)

// API carries out the operations.
type API struct{ keys *kms.Service }

// New makes the service for the gateway. Operations of the service model that this version does not
// carry out answer with an UnsupportedOperationException that says so.
func New(keys *kms.Service) *awsjson.Service {
	ops := (&API{keys: keys}).operations()
	for _, name := range model().Operations() {
		if _, ok := ops[name]; !ok {
			ops[name] = awsjson.Refuse(unsupported("The operation " + name + " isn't available in this version of Dictum yet."))
		}
	}
	return awsjson.NewService("kms", "TrentService", ops)
}

// Operations are the names of all operations of the service model.
func Operations() []string { return model().Operations() }

// Routed are the names of the operations that are carried out.
func Routed() []string { return slices.Sorted(maps.Keys((&API{}).operations())) }

func unsupported(message string) *awserr.Error {
	return &awserr.Error{Code: "UnsupportedOperationException", Status: 400, Message: message, Framework: true}
}

func refusal(code, message string) *awserr.Error {
	return &awserr.Error{Code: code, Status: 400, Message: message, Framework: true}
}

// on is the key that a request names, found before the request is authorised: what is authorised is what is used, even
// when an alias moves meanwhile.
type on struct{ target kms.Target }

func (o *on) found() *on { return o }

// request is the input of an operation on one key.
type request[I any] interface {
	*I
	found() *on
}

// finder finds the key that a request names.
type finder func(ctx context.Context, c iam.Caller, name string) (kms.Target, error)

// keyed makes an operation on the key that a request names.
func keyed[I, O any, P request[I]](
	a *API, name string, find finder, key func(*I) *string, about func(*I) kms.Circumstances,
	fn func(context.Context, *gateway.Call, *I, kms.Target) (*O, error),
) awsjson.Operation {
	access := func(ctx context.Context, c *gateway.Call, in *I) ([]iam.Access, error) {
		target := &P(in).found().target
		if id := key(in); id != nil {
			var err error
			if *target, err = find(ctx, c.Caller, *id); err != nil {
				return nil, err
			}
		}
		var circumstances kms.Circumstances
		if about != nil {
			circumstances = about(in)
		}
		return []iam.Access{a.keys.Access(c.Caller, name, *target, circumstances)}, nil
	}
	return awsjson.OpOn(access, func(ctx context.Context, c *gateway.Call, in *I) (*O, error) {
		if err := validate(name, in); err != nil {
			return nil, err
		}
		return fn(ctx, c, in, P(in).found().target)
	})
}

// plain makes an operation on no key in particular.
func plain[I, O any](a *API, name string, fn func(context.Context, *gateway.Call, *I) (*O, error)) awsjson.Operation {
	access := func(_ context.Context, c *gateway.Call, _ *I) ([]iam.Access, error) {
		return []iam.Access{a.keys.AccessTo(c.Caller, name, "*", kms.Circumstances{})}, nil
	}
	return awsjson.OpOn(access, validated(name, fn))
}

// validated checks the input before fn sees it.
func validated[I, O any](name string, fn func(context.Context, *gateway.Call, *I) (*O, error)) func(context.Context, *gateway.Call, *I) (*O, error) {
	return func(ctx context.Context, c *gateway.Call, in *I) (*O, error) {
		if err := validate(name, in); err != nil {
			return nil, err
		}
		return fn(ctx, c, in)
	}
}

func (a *API) operations() awsjson.Operations {
	// A key's own account manages it; using it is for whoever its policy lets.
	own, shared := finder(a.keys.FindOwn), finder(a.keys.Find)
	id := func(in *keyInput) *string { return in.KeyId }
	return awsjson.Operations{
		"CreateKey":   awsjson.OpOn(a.createKeyAccess, validated("CreateKey", a.createKey)),
		"DescribeKey": keyed(a, "DescribeKey", shared, id, nil, a.describeKey),
		"ListKeys":    plain(a, "ListKeys", a.listKeys),
		"UpdateKeyDescription": keyed(a, "UpdateKeyDescription", own, func(in *descriptionInput) *string { return in.KeyId }, nil,
			a.updateDescription),

		"CreateAlias": awsjson.OpOn(a.createAliasAccess, validated("CreateAlias", a.createAlias)),
		"UpdateAlias": awsjson.OpOn(a.updateAliasAccess, validated("UpdateAlias", a.updateAlias)),
		"DeleteAlias": awsjson.OpOn(a.deleteAliasAccess, validated("DeleteAlias", a.deleteAlias)),
		"ListAliases": awsjson.OpOn(a.listAliasesAccess, validated("ListAliases", a.listAliases)),

		"Encrypt":   keyed(a, "Encrypt", shared, func(in *encryptInput) *string { return in.KeyId }, encryptAbout, a.encrypt),
		"Decrypt":   awsjson.OpOn(a.decryptAccess, validated("Decrypt", a.decrypt)),
		"ReEncrypt": awsjson.OpOn(a.reEncryptAccess, validated("ReEncrypt", a.reEncrypt)),
		"GenerateDataKey": keyed(a, "GenerateDataKey", shared, func(in *dataKeyInput) *string { return in.KeyId }, dataKeyAbout,
			a.generateDataKey),
		"GenerateDataKeyWithoutPlaintext": keyed(a, "GenerateDataKeyWithoutPlaintext", shared,
			func(in *dataKeyInput) *string { return in.KeyId }, dataKeyAbout, a.generateDataKeyWithoutPlaintext),
		"GenerateRandom": plain(a, "GenerateRandom", a.generateRandom),

		"EnableKey":  keyed(a, "EnableKey", own, id, nil, a.enableKey),
		"DisableKey": keyed(a, "DisableKey", own, id, nil, a.disableKey),
		"ScheduleKeyDeletion": keyed(a, "ScheduleKeyDeletion", own, func(in *scheduleInput) *string { return in.KeyId }, scheduleAbout,
			a.scheduleKeyDeletion),
		"CancelKeyDeletion": keyed(a, "CancelKeyDeletion", own, id, nil, a.cancelKeyDeletion),

		"EnableKeyRotation": keyed(a, "EnableKeyRotation", own, func(in *rotationInput) *string { return in.KeyId }, rotationAbout,
			a.enableKeyRotation),
		"DisableKeyRotation":   keyed(a, "DisableKeyRotation", own, id, nil, a.disableKeyRotation),
		"GetKeyRotationStatus": keyed(a, "GetKeyRotationStatus", shared, id, nil, a.getKeyRotationStatus),
		"ListKeyRotations": keyed(a, "ListKeyRotations", own, func(in *listRotationsInput) *string { return in.KeyId }, nil,
			a.listKeyRotations),
		"RotateKeyOnDemand": keyed(a, "RotateKeyOnDemand", own, id, nil, a.rotateKeyOnDemand),

		"GetKeyPolicy":    keyed(a, "GetKeyPolicy", own, func(in *policyInput) *string { return in.KeyId }, nil, a.getKeyPolicy),
		"PutKeyPolicy":    keyed(a, "PutKeyPolicy", own, func(in *policyInput) *string { return in.KeyId }, policyAbout, a.putKeyPolicy),
		"ListKeyPolicies": keyed(a, "ListKeyPolicies", own, func(in *policyInput) *string { return in.KeyId }, nil, a.listKeyPolicies),
		"ListGrants":      keyed(a, "ListGrants", shared, func(in *listGrantsInput) *string { return in.KeyId }, nil, a.listGrants),

		"TagResource":      keyed(a, "TagResource", own, func(in *tagInput) *string { return in.KeyId }, tagAbout, a.tagResource),
		"UntagResource":    keyed(a, "UntagResource", own, func(in *tagInput) *string { return in.KeyId }, tagAbout, a.untagResource),
		"ListResourceTags": keyed(a, "ListResourceTags", own, func(in *tagInput) *string { return in.KeyId }, nil, a.listResourceTags),
	}
}

func deref[T any](p *T) T {
	var zero T
	if p == nil {
		return zero
	}
	return *p
}

// done is the answer of operations that have none.
func done(err error) (*awsjson.None, error) { return nil, err }

// list cuts a list that is known whole into a page: from the element after the marker, at most as many as asked for.
func list[T any](all []T, name func(T) string, marker *string, limit *int, most int) ([]T, page) {
	from := 0
	if marker != nil {
		from = slices.IndexFunc(all, func(t T) bool { return name(t) > *marker })
		if from < 0 {
			from = len(all)
		}
	}
	all = all[from:]
	if n := size(limit, most, most); len(all) > n {
		return all[:n], more(true, name(all[n-1]))
	}
	return all, more(false, "")
}

// size is how many elements a page has.
func size(limit *int, usual, most int) int {
	if limit == nil {
		return usual
	}
	return min(*limit, most)
}

func more(truncated bool, marker string) page {
	if !truncated {
		marker = ""
	}
	return page{NextMarker: marker, Truncated: &truncated}
}
