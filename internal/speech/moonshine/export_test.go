package moonshine

// What tests look at.
var (
	ParseVocabulary = parseVocabulary
	Looping         = looping
)
