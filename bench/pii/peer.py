"""Presidio, the peer of the part pii: reads JSON lines with a text on standard input and writes one JSON
document: what it is made of, how long it took, and the spans of each text with Amazon's names of types.

Everything is presidio's default (recognisers, threshold, how entities of the model are mapped), except
that the default spaCy model, en_core_web_lg, is in no package registry: the model is an argument."""
import json
import sys
import time

import tldextract

# The e-mail recogniser asks for the public suffix list when it is first used; the one in the package does.
tldextract.extract = tldextract.tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)

import presidio_analyzer  # noqa: E402: the line above is for it
import yaml  # noqa: E402
from presidio_analyzer.nlp_engine import NlpEngineProvider  # noqa: E402

TYPES = {
    "PERSON": "NAME",
    "EMAIL_ADDRESS": "EMAIL",
    "PHONE_NUMBER": "PHONE",
    "CREDIT_CARD": "CREDIT_DEBIT_NUMBER",
    "US_SSN": "SSN",
    "US_BANK_NUMBER": "BANK_ACCOUNT_NUMBER",
    "IBAN_CODE": "BANK_ACCOUNT_NUMBER",
    "US_DRIVER_LICENSE": "DRIVER_ID",
    "US_PASSPORT": "PASSPORT_NUMBER",
    "LOCATION": "ADDRESS",
}  # others keep their names


def main() -> None:
    rows = [json.loads(line) for line in sys.stdin]
    default = f"{presidio_analyzer.__path__[0]}/conf/default.yaml"
    with open(default, encoding="utf-8") as file:
        configuration = yaml.safe_load(file)
    configuration["models"] = [{"lang_code": "en", "model_name": sys.argv[1]}]
    engine = NlpEngineProvider(nlp_configuration=configuration).create_engine()
    analyzer = presidio_analyzer.AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])
    analyzer.analyze("warm up", language="en")
    start = time.perf_counter()
    found = [analyzer.analyze(row["text"], language="en") for row in rows]
    seconds = time.perf_counter() - start
    # Several types may be found in one place. The surest comes last: that is the one which score.py takes.
    spans = [[{"start": r.start, "end": r.end, "type": TYPES.get(r.entity_type, r.entity_type)} for r in sorted(results, key=lambda r: r.score)]
             for results in found]
    recognisers = sorted(recogniser.name for recogniser in analyzer.registry.recognizers)
    meta = engine.nlp["en"].meta
    json.dump({"model": f"{meta['lang']}_{meta['name']}", "version": meta["version"], "recognisers": recognisers, "seconds": seconds, "spans": spans}, sys.stdout)


if __name__ == "__main__":
    main()
