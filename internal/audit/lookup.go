package audit

const maxLookups = 4
