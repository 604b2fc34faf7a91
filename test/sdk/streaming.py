"""What amazon-transcribe, AWS's streaming client for Python, does with a server. Run by streaming_test.go with the endpoint, the
authority's file, and a file of PCM at 16 kHz; any failed assertion ends it with an error."""

import asyncio
import os
import re
import sys

from amazon_transcribe import httpsession
from amazon_transcribe.auth import StaticCredentialResolver
from amazon_transcribe.client import TranscribeStreamingClient
from amazon_transcribe.endpoints import StaticEndpointResolver
from amazon_transcribe.exceptions import BadRequestException, UnknownServiceException

endpoint, authority, path = sys.argv[1:]
pcm = open(path, "rb").read()

# The client trusts the system's authorities and has no setting for others. Installations put theirs there.
class Trusting(httpsession.io.TlsContextOptions):
    def __init__(self):
        super().__init__()
        self.override_default_trust_store_from_path(None, authority)


httpsession.io.TlsContextOptions = Trusting


def client(secret=os.environ["AWS_SECRET_ACCESS_KEY"]):
    return TranscribeStreamingClient(
        region="us-east-1",
        endpoint_resolver=StaticEndpointResolver(endpoint),
        credential_resolver=StaticCredentialResolver(os.environ["AWS_ACCESS_KEY_ID"], secret),
    )


async def transcribe(of=None, **parameters):
    stream = await (of or client()).start_stream_transcription(
        **{"language_code": "en-US", "media_sample_rate_hz": 16000, "media_encoding": "pcm", **parameters}
    )

    async def send():
        for at in range(0, len(pcm), 3201):  # odd on purpose
            await stream.input_stream.send_audio_event(audio_chunk=pcm[at : at + 3201])
        await stream.input_stream.end_stream()

    async def receive():
        results = []
        async for event in stream.output_stream:
            results += event.transcript.results
        return results

    _, results = await asyncio.gather(send(), receive())
    return stream.response, results


async def refused(kind, message, **parameters):
    try:
        await transcribe(**parameters)
    except kind as e:
        assert re.search(message, str(e)), e
        return
    raise AssertionError(f"{parameters} was taken")


async def main():
    response, results = await transcribe(show_speaker_label=True, enable_partial_results_stabilization=True)
    assert response.language_code == "en-US" and response.media_sample_rate_hz == 16000, vars(response)
    assert response.show_speaker_label is True and len(response.session_id) == 36 and response.request_id
    finals = [r for r in results if not r.is_partial]
    text = " ".join(r.alternatives[0].transcript for r in finals).lower()
    assert "best of times" in text, text
    assert any(r.is_partial for r in results)
    assert len({r.result_id for r in finals}) == len(finals)
    item = finals[0].alternatives[0].items[0]
    assert item.stable is True and 0 < item.confidence <= 1 and item.speaker == "0", vars(item)

    await refused(BadRequestException, "'languageCode' failed to satisfy constraint", language_code="xx-YY")
    await refused(BadRequestException, "vocabular", vocabulary_name="words")
    await refused(UnknownServiceException, "signature", of=client("wrong"))


asyncio.run(main())
