#!/usr/bin/env bash
# The batch lab of Amazon Transcribe's documentation, word for word, against the server whose
# `dictum env` exports are in the environment. `make demo` shows it; test/lab checks what it
# leaves in the working folder: transcript.json, transcript.vtt, transcript.srt, uri.txt.
#
# usage: lab.sh --aws COMMAND --region REGION --bucket BUCKET --job JOB --sample FILE [--output-key]
set -euo pipefail

output_key=
while (($#)); do
	case $1 in
	--aws) aws_command=$2; shift 2 ;;
	--region) region=$2; shift 2 ;;
	--bucket) bucket=$2; shift 2 ;;
	--job) job=$2; shift 2 ;;
	--sample) sample=$2; shift 2 ;;
	--output-key) output_key=yes; shift ;;
	*) echo "lab.sh: unknown argument $1" >&2; exit 2 ;;
	esac
done

# aws is the AWS CLI under test: a path, and for versions that do not read AWS_ENDPOINT_URL
# the --endpoint-url option.
aws() { $aws_command "$@"; }
step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }
# show prints a command as one would type it, then runs it.
show() { printf '\033[2m$ %s\033[0m\n' "$*"; "$@"; }

step "Who am I, and where?"
show aws sts get-caller-identity
show aws configure get region

step "Make a bucket in $region and put the recording into it"
if [[ $region == us-east-1 ]]; then
	show aws s3api create-bucket --bucket "$bucket" --region us-east-1
else
	show aws s3api create-bucket --bucket "$bucket" --region "$region" --create-bucket-configuration "LocationConstraint=$region"
fi
cp "$sample" sample.mp3
show aws s3 cp sample.mp3 "s3://$bucket/input/sample.mp3" --no-progress
show aws s3 ls "s3://$bucket/input/"
show aws s3api head-object --bucket "$bucket" --key input/sample.mp3

step "Start a transcription job"
key_option=()
[[ $output_key ]] && key_option=(--output-key "output/$job.json")
show aws transcribe start-transcription-job --region "$region" --transcription-job-name "$job" --language-code en-US \
	--media "MediaFileUri=s3://$bucket/input/sample.mp3" --subtitles Formats=vtt,srt "${key_option[@]}"

step "Wait until it has ended"
job_query() { aws transcribe get-transcription-job --region "$region" --transcription-job-name "$job" --query "$1" --output text; }
deadline=$((SECONDS + 180))
while true; do
	status=$(job_query TranscriptionJob.TranscriptionJobStatus)
	echo "$status"
	[[ $status == COMPLETED || $status == FAILED ]] && break
	if ((SECONDS > deadline)); then
		echo "lab.sh: the job has not ended in 180 s" >&2
		exit 1
	fi
	sleep 1
done
if [[ $status == FAILED ]]; then
	job_query TranscriptionJob.FailureReason
	exit 1
fi

step "Read the transcript"
TRANSCRIPT_URI=$(job_query TranscriptionJob.Transcript.TranscriptFileUri)
echo "$TRANSCRIPT_URI" >uri.txt
show curl -fsS -L "$TRANSCRIPT_URI" -o transcript.json
head -n 5 transcript.json | cut -c1-300
printf '\n'
show jq -r '.results.transcripts[0].transcript' transcript.json

step "The first words, with their times in seconds and how sure the recogniser is of them"
jq -r '.results.items | map(select(.type == "pronunciation")) | .[:12][] |
	[.start_time, .end_time, .alternatives[0].confidence, .alternatives[0].content] | @tsv' transcript.json

step "Subtitles"
for uri in $(job_query TranscriptionJob.Subtitles.SubtitleFileUris); do
	path=${uri%%\?*}
	curl -fsS -L "$uri" -o "transcript.${path##*.}"
done
head -n 8 transcript.vtt

step "Delete the job, the objects and the bucket"
show aws transcribe delete-transcription-job --region "$region" --transcription-job-name "$job"
show aws s3 rm "s3://$bucket" --recursive
show aws s3api delete-bucket --bucket "$bucket"
