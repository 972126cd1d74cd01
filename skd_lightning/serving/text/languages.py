"""Tables of what the splitter knows about single languages: as little as pays."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

HYPHENATED = ("en",)
"""Languages whose treebanks make three words of ``long-term``."""

ORDINAL = "cs da de et fi fo hr hu is lv nb nn no sk sl sr sv bs".split()
"""Languages that write ordinal numbers with a dot, which belongs to the word: ``3.``."""

APART = "bg cs pl ru sk uk".split()
"""Languages whose treebanks make a word of the dot of an abbreviation or ordinal too."""

COLON = "fi sv".split()
"""Languages that put an ending behind a colon: ``EU:n``."""

ELIDED = {
    "fr": r"(?i:[cdjlmnst]|(?:jus|lors|puis|quoi|quel)?qu|presqu)",
    "it": r"(?:[^\W\d_]{1,16})",
    "ca": r"(?i:[dlmnst])",
    "oc": r"(?i:[cdjlmnst]|qu)",
}
"""Words that lose their vowel and stand, with their apostrophe, as words of their own: ``l'eau``."""

CLITICS = {
    "en": r"['’](?i:s|re|ve|ll|d|m)(?!\w)|(?i:n['’]t)(?!\w)",
    "nl": r"['’][tsnkm](?!\w)",
    "fr": r"-(?i:(?:t-)?(?:ils?|elles?|on)|je|tu|nous|vous|ce|moi|toi|lui|leur|l[aey]s?|y|en)(?![\w’'-])",
}
"""Endings that are written behind a word and are words of their own: ``John's``, ``dit-il``."""

HOSTS = {
    "en": r"(?i:do|does|did|is|are|was|were|have|has|had|wo|would|ca|could|sha|should|might|must|need|ai)(?=n['’]t\b)"
    r"|(?i:can(?=not\b))",
}
"""Words that end where a clitic begins which an apostrophe does not part from them: ``don't``."""

ABBREVIATIONS = {
    "": "dr prof st mr mrs ms vs etc cf vol nr inc ltd corp co jr sr ed eds al fig tel",
    "en": "mt rev gen col sgt capt lt cmdr gov sen rep reps hon pres messrs attn dept univ assn bros ave blvd rd est "
    "approx eg ie ext spec jan feb mar apr jun jul aug sept sep oct nov dec tues thur thurs "
    "lb lbs oz ft esp viz sec",
    "de": "bzw ca usw evtl ggf inkl zzgl geb gest hrsg jh jhd mio mrd str sog vgl bspw hl ing dipl abb abs bd "
    "max min allg ehem engl frz lat griech kath evang verh insb rd jan feb okt nov dez sept",
    "fr": "mm mme mlle mgr me av apr env ex réf éd chap hab bd janv févr juil oct nov déc",
    "es": "sr sra srta ud uds dra av avda pág págs núm ej aprox gral lic ing art tfno izq dcha admón",
    "pt": "sra dra av pág págs núm ex aprox eng art ltda exmo cia",
    "it": "sig sigg dott avv ing arch geom ecc pag pagg nn art artt on tav rif lett",
    "nl": "bijv blz dhr mevr mw drs ir ing enz evt incl excl ca resp zgn nl art afb mld mln",
    "sv": "kap kl dvs resp doc fil milj kungl mån bl ff forts fr ca inkl exkl jfr osv ev tr tor mos ggr st",
    "da": "kr ca pct mill mia kgl kl bl jf jfr osv ds div hr fr maks spsk tsk cm mm kg etc evt instr fx pga eks fhv "
    "mio sek stk tlf vedr årh",
    "no": "kr ca pst mill mrd kl bl jf osv hr fr maks ev evt tlf mv dvs fork inkl ekskl kgl",
    "fi": "mm esim ns ks ym yms jne tms mrd milj klo eaa jaa nk os puh vrt",
    "hr": "tzv tj npr sv mil engl sl vlč čl mlrd str god dipl ing arh br itd sc med tel lat njem gđa mag",
    "sl": "dr sv oz mag npr itd itn str ur gl št tel dipl ing inž mio mrd ipd",
    "cs": "tzv tj např mj apod atd resp str čl ing mgr mudr judr phdr č sv tis mil mld hod min cca",
    "sk": "tzv tj napr apod atd resp str čl ing mgr mudr judr phdr č sv tis mil mld hod min cca",
    "pl": "ul np tj tzw ok godz mln mld tys wg im św inż mgr hab prof red r w zob pkt",
    "hu": "pl ún ill kb stb dr id ifj özv vö ld old",
    "tr": "dr prof doç av bkz vb vs yy sn örn yrd cad sok mah no",
    "ru": "г гг в вв им т п тыс млн млрд руб ул см стр др пр проф акад ред рис",
    "uk": "р рр ст м тис млн млрд грн вул див стор ін проф акад ред рис",
    "eu": "etab adib or ig jn and",
    "id": "jl tgl hlm bpk ny sdr drs ir dll dsb dst yth a.n",
}
"""Words whose dot belongs to them, in lower case without it, by language; those of "" belong to every language."""
ABBREVIATIONS |= dict.fromkeys(("nb", "nn"), ABBREVIATIONS["no"])  # Norwegian, in either way of writing it

ENUMERATIONS = frozenset("etc usw ecc osv itd itn atd apod enz stb jne yms dll dsb".split())
"""Abbreviations that a sentence may end with."""

NUMBERED = frozenset("no nos p pp".split())
"""Words whose dot belongs to them before a number only."""


@dataclass(frozen=True)
class LanguageRules:
    """Rules that differ between languages.

    Attributes:
        hyphenated: a hyphen between letters is a word of its own.
        ordinal: a dot behind one or two digits belongs to the number.
        dots_apart: the dot of an abbreviation or ordinal is a word of its own, though it ends no sentence.
        colon: a colon before a lower-case ending belongs to the word.
        elided: regular expression of the words before an apostrophe that are words of their own.
        clitics: of the words that are written behind others.
        hosts: of the words that end where a clitic begins.
        abbreviations: words in lower case that take a dot.
        pronoun: a word of one upper-case letter that is no initial.
        spaced_quotes: a space stands before the quote that closes.
        nouns_in_upper_case: nouns begin in upper case.
    """

    hyphenated: bool
    ordinal: bool
    dots_apart: bool
    colon: bool
    elided: str | None
    clitics: str | None
    hosts: str | None
    abbreviations: frozenset[str]
    pronoun: str
    spaced_quotes: bool
    nouns_in_upper_case: bool


def code_of(language: str) -> str:
    """Return the code of the language that a treebank is in.

    >>> code_of("en_ewt"), code_of("en")
    ('en', 'en')
    """
    return language.partition("_")[0]


def known_as(code: str, known: Collection[str]) -> str | None:
    """Return the known language that a code names: itself, or the only treebank of that language.

    >>> known_as("de", ["de"]), known_as("de", ["de_gsd", "en"]), known_as("de", ["de_gsd", "de_hdt"])
    ('de', 'de_gsd', None)
    """
    if code in known:
        return code
    treebanks = [language for language in known if code_of(language) == code]
    return treebanks[0] if len(treebanks) == 1 else None


@cache
def rules_of(language: str) -> LanguageRules:
    """Return the rules of a language or treebank; of one that no table has, those that hold everywhere.

    >>> rules_of("de").ordinal, rules_of("de_gsd").ordinal, rules_of("xx").ordinal
    (True, True, False)
    """
    language = code_of(language)
    own = f"{ABBREVIATIONS['']} {ABBREVIATIONS.get(language, '')}".split()
    return LanguageRules(
        language in HYPHENATED,
        language in ORDINAL,
        language in APART,
        language in COLON,
        ELIDED.get(language),
        CLITICS.get(language),
        HOSTS.get(language),
        frozenset(own),
        "I" if language == "en" else "",
        language == "fr",
        language == "de",
    )
