package iam

import "time"

// TOTPCode is the code that a device with this seed shows at a time.
func TOTPCode(secret []byte, at time.Time) string { return totpCode(secret, totpStepAt(at)) }
