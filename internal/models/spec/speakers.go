package spec

// The names of the files of the speakers model, all in its folder.
const (
	// SpeakerTrunk maps fbank f32 [B,T,80], Kaldi's log mel energies with their mean taken
	// off, to features f32 [B,256,10,⌈T/8⌉]: what speaks, frame by frame.
	SpeakerTrunk = "trunk.onnx"
	// SpeakerHead maps statistics f32 [N,5120], means and standard deviations of features
	// over a window, to embedding f32 [N,256].
	SpeakerHead = "head.onnx"
	// SpeakerSegmentation maps waveforms f32 [B,1,160000], ten seconds, to segmentation f32
	// [B,589,3]: which of up to three voices speak in each frame.
	SpeakerSegmentation = "segmentation.ort"
)
