import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.SubmissionPublisher;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import org.reactivestreams.FlowAdapters;
import org.reactivestreams.Publisher;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.services.transcribestreaming.TranscribeStreamingAsyncClient;
import software.amazon.awssdk.services.transcribestreaming.model.AudioEvent;
import software.amazon.awssdk.services.transcribestreaming.model.AudioStream;
import software.amazon.awssdk.services.transcribestreaming.model.BadRequestException;
import software.amazon.awssdk.services.transcribestreaming.model.ItemType;
import software.amazon.awssdk.services.transcribestreaming.model.LanguageCode;
import software.amazon.awssdk.services.transcribestreaming.model.MediaEncoding;
import software.amazon.awssdk.services.transcribestreaming.model.MedicalResult;
import software.amazon.awssdk.services.transcribestreaming.model.MedicalTranscriptEvent;
import software.amazon.awssdk.services.transcribestreaming.model.PartialResultsStability;
import software.amazon.awssdk.services.transcribestreaming.model.Result;
import software.amazon.awssdk.services.transcribestreaming.model.Specialty;
import software.amazon.awssdk.services.transcribestreaming.model.StartMedicalStreamTranscriptionResponse;
import software.amazon.awssdk.services.transcribestreaming.model.StartMedicalStreamTranscriptionResponseHandler;
import software.amazon.awssdk.services.transcribestreaming.model.StartStreamTranscriptionRequest;
import software.amazon.awssdk.services.transcribestreaming.model.StartStreamTranscriptionResponse;
import software.amazon.awssdk.services.transcribestreaming.model.StartStreamTranscriptionResponseHandler;
import software.amazon.awssdk.services.transcribestreaming.model.TranscribeStreamingException;
import software.amazon.awssdk.services.transcribestreaming.model.TranscriptEvent;
import software.amazon.awssdk.services.transcribestreaming.model.Type;

/**
 * What the AWS SDK for Java does with the endpoint and keys that `dictum env` prints: its settings are all in the
 * environment. Run by java_test.go with a file of PCM at 16 kHz; any failed check ends it with an error.
 */
public class Stream {
  static final int BYTES_PER_SECOND = 2 * 16000;

  /** Audio that is published as fast as it is spoken, when PACED, in pieces of an odd size. */
  static final class Speech {
    final SubmissionPublisher<AudioStream> publisher = new SubmissionPublisher<>();
    /** When the last piece was given away, by System.nanoTime; 0 before that. */
    final AtomicLong ended = new AtomicLong();

    Speech(byte[] pcm, boolean paced) {
      Thread speaker = new Thread(() -> {
        while (publisher.getNumberOfSubscribers() == 0) {
          if (publisher.isClosed()) return;
          LockSupport.parkNanos(1_000_000);
        }
        long began = System.nanoTime();
        for (int at = 0; at < pcm.length && !publisher.isClosed(); ) {
          int end = Math.min(at + 3201, pcm.length);
          // Audio can't be sent before it was spoken to its end.
          long due = began + TimeUnit.SECONDS.toNanos(end) / BYTES_PER_SECOND;
          while (paced && System.nanoTime() < due) LockSupport.parkNanos(due - System.nanoTime());
          publisher.submit(AudioEvent.builder().audioChunk(SdkBytes.fromByteArray(Arrays.copyOfRange(pcm, at, end))).build());
          at = end;
        }
        ended.set(System.nanoTime());
        publisher.close();
      });
      speaker.setDaemon(true); // a refused stream is never listened to
      speaker.start();
    }

    Publisher<AudioStream> events() {
      return FlowAdapters.toPublisher(publisher);
    }
  }

  /** What a stream answered, and when the first result came. */
  static final class Heard {
    volatile StartStreamTranscriptionResponse answer;
    final List<Result> results = Collections.synchronizedList(new ArrayList<>());
    volatile long first;
  }

  static StartStreamTranscriptionRequest.Builder english() {
    return StartStreamTranscriptionRequest.builder()
        .languageCode(LanguageCode.EN_US).mediaEncoding(MediaEncoding.PCM).mediaSampleRateHertz(16000);
  }

  static Heard transcribe(TranscribeStreamingAsyncClient client, StartStreamTranscriptionRequest request, Speech speech) {
    Heard heard = new Heard();
    var handler = StartStreamTranscriptionResponseHandler.builder()
        .onResponse(answer -> heard.answer = answer)
        .subscriber(event -> {
          if (heard.first == 0) heard.first = System.nanoTime();
          heard.results.addAll(((TranscriptEvent) event).transcript().results());
        })
        .build();
    await(client.startStreamTranscription(request, speech.events(), handler), speech);
    return heard;
  }

  /** Waits for a stream's end, and throws what it ended with. */
  static void await(CompletableFuture<Void> stream, Speech speech) {
    try {
      stream.orTimeout(60, TimeUnit.SECONDS).join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof RuntimeException cause) throw cause;
      throw e;
    } finally {
      speech.publisher.close();
    }
  }

  static void check(boolean holds, String what, Object got) {
    if (!holds) throw new AssertionError(what + ": " + got);
  }

  static <E extends TranscribeStreamingException> E refused(Class<E> kind, String says, Runnable stream) {
    try {
      stream.run();
    } catch (TranscribeStreamingException e) {
      check(kind.isInstance(e) && e.getMessage().contains(says), "refused with another error", e);
      return kind.cast(e);
    }
    throw new AssertionError("a stream was taken that is to be refused: " + says);
  }

  static String text(List<Result> results) {
    return results.stream().filter(r -> !r.isPartial()).map(r -> r.alternatives().get(0).transcript())
        .collect(Collectors.joining(" ")).toLowerCase(Locale.ROOT);
  }

  /** Results come while somebody speaks; they grow, settle and end. */
  static void live(TranscribeStreamingAsyncClient client, byte[] pcm) {
    var session = "11111111-2222-3333-4444-555555555555";
    var speech = new Speech(pcm, true);
    var heard = transcribe(client, english().sessionId(session).showSpeakerLabel(true)
        .enablePartialResultsStabilization(true).partialResultsStability(PartialResultsStability.HIGH).build(), speech);
    var a = heard.answer;
    check(a.languageCode() == LanguageCode.EN_US && a.mediaEncoding() == MediaEncoding.PCM && a.mediaSampleRateHertz() == 16000
        && a.sessionId().equals(session) && a.showSpeakerLabel() && a.enablePartialResultsStabilization()
        && a.partialResultsStability() == PartialResultsStability.HIGH, "the answer's parameters", a);
    check(a.requestId() != null && a.requestId().length() == 36, "request id", a.requestId());
    check(text(heard.results).matches(".*best of times.*worst of times.*"), "finals", text(heard.results));
    check(heard.first != 0 && heard.first < speech.ended.get(), "the first result came after the audio had ended", heard.first);
    Set<String> partial = new HashSet<>(), ended = new HashSet<>();
    for (var r : heard.results) {
      check(!ended.contains(r.resultId()), "a result after its final", r);
      check(r.alternatives().size() == 1 && r.endTime() >= r.startTime(), "result", r);
      var items = r.alternatives().get(0).items();
      if (r.isPartial()) {
        partial.add(r.resultId());
        check(items.stream().allMatch(i -> i.confidence() == null), "confidence of a partial", r);
        continue;
      }
      ended.add(r.resultId());
      for (var i : items) {
        check(i.stable(), "an item of a final that is not stable", i);
        if (i.type() == ItemType.PRONUNCIATION) {
          check(i.confidence() > 0 && i.confidence() <= 1 && i.endTime() > i.startTime() && "0".equals(i.speaker()), "item", i);
        } else {
          check(i.type() == ItemType.PUNCTUATION && i.confidence() == null, "item", i);
        }
      }
    }
    check(!partial.isEmpty() && ended.containsAll(partial), "partial results without a final", partial);
  }

  static void medical(TranscribeStreamingAsyncClient client, byte[] pcm) {
    var speech = new Speech(pcm, false);
    List<MedicalResult> results = Collections.synchronizedList(new ArrayList<>());
    CompletableFuture<StartMedicalStreamTranscriptionResponse> answered = new CompletableFuture<>();
    var handler = StartMedicalStreamTranscriptionResponseHandler.builder()
        .onResponse(answered::complete)
        .subscriber(event -> results.addAll(((MedicalTranscriptEvent) event).transcript().results()))
        .build();
    await(client.startMedicalStreamTranscription(b -> b.languageCode(LanguageCode.EN_US).mediaEncoding(MediaEncoding.PCM)
        .mediaSampleRateHertz(16000).specialty(Specialty.CARDIOLOGY).type(Type.DICTATION), speech.events(), handler), speech);
    var a = answered.join();
    check(a.specialty() == Specialty.CARDIOLOGY && a.type() == Type.DICTATION && a.sessionId().length() == 36, "the answer's parameters", a);
    var text = results.stream().filter(r -> !r.isPartial()).map(r -> r.alternatives().get(0).transcript()).collect(Collectors.joining(" "));
    check(text.toLowerCase(Locale.ROOT).contains("best of times"), "finals of a medical stream", text);
  }

  static void errors(TranscribeStreamingAsyncClient client, byte[] pcm) {
    var bad = refused(BadRequestException.class, "'xx-YY' at 'languageCode' failed to satisfy constraint: Member must satisfy enum value set",
        () -> transcribe(client, english().languageCode("xx-YY").build(), new Speech(pcm, false)));
    check(bad.statusCode() == 400 && bad.requestId() != null, "the refusal", bad);
    refused(BadRequestException.class, "'mediaSampleRateHertz'",
        () -> transcribe(client, english().mediaSampleRateHertz(4000).build(), new Speech(pcm, false)));
    // An exception in the stream, after the answer: this is no FLAC.
    refused(BadRequestException.class, "Could not decode the audio stream that you provided",
        () -> transcribe(client, english().mediaEncoding(MediaEncoding.FLAC).build(), new Speech(pcm, false)));
    var wrong = StaticCredentialsProvider.create(AwsBasicCredentials.create(System.getenv("AWS_ACCESS_KEY_ID"), "wrong"));
    try (var other = TranscribeStreamingAsyncClient.builder().credentialsProvider(wrong).build()) {
      var e = refused(TranscribeStreamingException.class, "signature we calculated does not match",
          () -> transcribe(other, english().build(), new Speech(pcm, false)));
      check(e.statusCode() == 403 && e.awsErrorDetails().errorCode().equals("InvalidSignatureException"), "the refusal", e);
    }
  }

  public static void main(String[] args) throws Exception {
    byte[] pcm = Files.readAllBytes(Path.of(args[0]));
    try (var client = TranscribeStreamingAsyncClient.create()) {
      live(client, pcm);
      medical(client, pcm);
      errors(client, pcm);
    }
  }
}
