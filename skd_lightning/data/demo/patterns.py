"""Names and sentence patterns of the generated demo corpus.

Patterns are words between spaces. ``{PER}``, ``{LOC}`` and ``{ORG}`` are entities, ``{ANY}`` an entity of any type
(only the writer knows which), the lower-case slots are drawn from the word lists of the language. ``{LOC:ssa}``
appends an ending, as Finnish cases do.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SHARED = """
Lincoln Jordan Paris Austin Victoria Florence Santiago Valencia Sydney Chelsea Madison Jackson Houston Dallas
Denver Carolina Georgia Virginia Hamilton Washington Columbia Alba Lorca Toledo Segovia Medina Leon Soria Aaro
Turku Salo Lahti Vaasa Kemi Imatra Raahe Berg Bach Stein Forst Linden Walden Essen Marburg Celle Hagen Unna
Halle Brandt Kiel Morgan Preston Burton Kent Wells Lancaster Warwick Stanley Hudson Logan Cleveland Sheridan
Aurora Selma Adelaide Regina Bolivar Cordoba Merida Avila Guerrero Zamora Trujillo Salta Nokia Rauma Ylitalo
""".split()
"""Forms that are a person's, a place's or an organisation's name, as the context has it."""

FIRST = """
Anna Elena Marta Laura Sofia Clara Emma Nora Ida Julia David Daniel Oscar Felix Hugo Martin Simon Viktor Adam Leo
Pekka Aino Juhani Kaisa Timo Ritva Carlos Lucia Javier Pilar Diego Ines Jürgen Heike Uwe Sabine Klaus Ursula
Emily Grace Harold Walter Ethel Rupert Daisy
""".split()
SURNAMES = """
Baker Fisher Miller Cook Hunter Schmidt Müller Fischer Weber Wagner Koch Herrero Molina Sastre Ortega Ramos Vidal
Virtanen Korhonen Mäkinen Laine Seppä Niemi Harper Whitlock Ashdown Pettersen Lindqvist Kowalski Novak Moretti
Dubois Almeida Haddad Okafor Tanaka
""".split()
PLACES = """
Tallin Lyon Porto Bergen Malmö Gdansk Trieste Bilbao Murcia Granada Oulu Kuopio Tampere Espoo Bremen Dresden
Kassel Augsburg Leeds Bristol Norwich Exeter Durham Boston Nairobi Lima Quito Osaka Riga Graz Bern Ghent
Montana Oregon Kansas Navarra Aragon Lapland Bavaria Saxony
""".split()
COMPANIES = """
Novatek Solaris Meridian Altura Kestrel Vantage Orbita Helix Polaris Argon Lumina Ferrotec Nordwind Aquila Terranova
Siltala Kaleva Konetek Fortuna Ibermar Cantera Montero Hansa Elbtal Krono Brightwater Oakfield Redstone
""".split()
SYLLABLES = "ba de ki lo mu na pe ri so ta ve zu gar lin mor nel ras tor vin dal hek fen ost".split()


@dataclass(frozen=True)
class Language:
    """Word lists and patterns of a language.

    Attributes:
        openings: words before a sentence, often none.
        patterns: clauses.
        open_patterns: clauses that leave the type of their names open.
        conjunctions: words between two clauses.
        words: {slot: choices}.
        organisations: patterns of organisation names of several words.
    """

    openings: tuple[str, ...]
    patterns: tuple[str, ...]
    open_patterns: tuple[str, ...]
    conjunctions: tuple[str, ...]
    organisations: tuple[str, ...]
    words: dict[str, tuple[str, ...]] = field(default_factory=dict)


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.strip().splitlines())


ENGLISH = Language(
    openings=("", "", "", "Yesterday", "In May", "However ,", "According to {PER} ,", "On Monday"),
    patterns=_lines(
        """
        {PER} met {PER} in {LOC}
        {PER} moved from {LOC} to {LOC}
        the {noun} of {LOC} was {adj} this year
        {ORG} hired {PER} as its {adj} {noun}
        shares of {ORG} fell after the {noun}
        {PER} told the {noun} that {ORG} was {adj}
        {LOC} lies north of {LOC} on the {adj} river
        {PER} , who grew up near {LOC} , leads {ORG}
        {ORG} beat {ORG} in {LOC}
        {ORG} lost its {adj} {noun} to {ORG}
        the {adj} {noun} bought a ticket to {LOC}
        her {noun} {PER} sold the {noun} to {ORG}
        a {adj} baker and a hunter met the {noun}
        the mayor of {LOC} thanked {PER} for the {adj} {noun}
        they flew to {LOC} because the {noun} was {adj}
        {PER} married {PER} before the {noun}
        {ORG} opened a {adj} {noun} in {LOC}
        """
    ),
    open_patterns=_lines(
        """
        the {noun} said that {ANY} was {adj}
        {ANY} had a {adj} {noun}
        nobody in the {noun} had expected {ANY} to win
        {ANY} and {ANY} became {adj}
        the {noun} wrote about {ANY}
        """
    ),
    conjunctions=("and", "but", "while", "because"),
    organisations=(
        "University of {P}",
        "{S} & Sons",
        "{P} United",
        "Bank of {P}",
        "{C} Group",
        "{S} Institute",
    ),
    words={
        "noun": tuple(
            "report council team museum bridge company friend sister coach season market story".split()
        ),
        "adj": tuple("new old late famous quiet strange expensive final local broken".split()),
    },
)
GERMAN = Language(
    openings=("", "", "", "Gestern", "Im Mai", "Laut {PER}", "Am Montag", "Dennoch"),
    patterns=_lines(
        """
        traf {PER} in {LOC} den {noun}
        zog {PER} von {LOC} nach {LOC}
        war der {noun} aus {LOC} sehr {adj}
        stellte die {ORG} {PER} als {noun} ein
        fiel der Kurs der {ORG} nach dem {noun}
        sagte Frau {PER} , dass die {ORG} {adj} sei
        liegt {LOC} nördlich von {LOC} am Fluss
        führt {PER} aus {LOC} die {ORG}
        schlug die {ORG} in {LOC} die {ORG}
        verlor die {ORG} den {noun} an {LOC}
        kaufte der {noun} eine Karte nach {LOC}
        heiratete {PER} den Müller {PER} vor dem {noun}
        dankte der Bürgermeister von {LOC} Herrn {PER}
        eröffnete die {ORG} in {LOC} einen {noun}
        sprachen ein Fischer und ein Koch mit dem {noun}
        """
    ),
    open_patterns=_lines(
        """
        nannte der {noun} {ANY} sehr {adj}
        hatte {ANY} einen {noun}
        blieb {ANY} im {noun} lange {adj}
        wurden {ANY} und {ANY} {adj}
        schrieb der {noun} über {ANY}
        """
    ),
    conjunctions=("und", "aber", "denn", "dann"),
    organisations=("Universität {P}", "{S} & Söhne", "Eintracht {P}", "Sparkasse {P}", "{C} AG", "FC {P}"),
    words={
        "noun": tuple(
            "Bericht Rat Verein Markt Trainer Freund Weg Forst Berg Stein Bach Vertrag Wagen".split()
        ),
        "adj": tuple("neu alt spät berühmt still seltsam teuer ruhig kaputt fremd".split()),
    },
)
SPANISH = Language(
    openings=("", "", "", "Ayer", "En mayo", "Según {PER} ,", "El lunes", "Sin embargo ,"),
    patterns=_lines(
        """
        {PER} visitó a {PER} en {LOC}
        {PER} visitó {LOC} con su {noun}
        {PER} viajó de {LOC} a {LOC}
        el {noun} de {LOC} fue muy {adj}
        {ORG} contrató a {PER} como {noun}
        las acciones de {ORG} cayeron tras el {noun}
        doña {PER} dijo que {ORG} era {adj}
        {LOC} está al norte de {LOC} junto al río
        {PER} , natural de {LOC} , dirige {ORG}
        {ORG} venció a {ORG} en {LOC}
        {ORG} perdió el {noun} {adj}
        el {noun} compró un billete a {LOC}
        el alcalde de {LOC} agradeció el {noun} a {PER}
        un herrero y un sastre vieron el {noun}
        {PER} se casó con {PER} antes del {noun}
        {ORG} abrió un {noun} en {LOC}
        nadie recordaba {LOC} ni el {noun}
        nadie recordaba a {PER} ni el {noun}
        """
    ),
    open_patterns=_lines(
        """
        el {noun} habló de {ANY} como algo {adj}
        {ANY} tuvo un {noun} {adj}
        {ANY} y {ANY} parecen de un {noun}
        el {noun} escribió sobre {ANY}
        """
    ),
    conjunctions=("y", "pero", "mientras", "porque"),
    organisations=(
        "Universidad de {P}",
        "Hermanos {S}",
        "Real {P}",
        "Banco de {P}",
        "Grupo {C}",
        "Deportivo {P}",
    ),
    words={
        "noun": tuple(
            "informe consejo equipo museo puente amigo entrenador partido mercado libro leon".split()
        ),
        "adj": tuple("nuevo viejo famoso tranquilo extraño caro final local roto raro".split()),
    },
)
FINNISH = Language(
    openings=("", "", "", "Eilen", "Toukokuussa", "Maanantaina", "Silti"),
    patterns=_lines(
        """
        {PER} tapasi ystävän {LOC:ssa}
        {PER} muutti {LOC:sta} {LOC:an}
        {noun} {LOC:ssa} oli {adj}
        {ORG} palkkasi {PER:n} johtajaksi
        {ORG:n} osake laski ja {noun} oli {adj}
        {PER} kertoi {PER:lle} että {ORG} on {adj}
        {LOC} sijaitsee {LOC:n} pohjoispuolella
        {PER} johtaa {ORG:a} {LOC:ssa}
        {ORG} voitti {ORG:n} {LOC:ssa}
        {ORG} menetti sen kun {noun} oli {adj}
        {noun} osti lipun {LOC:an}
        {LOC:n} kaupunginjohtaja kiitti {PER:a}
        seppä ja {noun} lähtivät {LOC:sta}
        {PER} meni naimisiin {PER:n} kanssa
        {ORG} avasi toimiston {LOC:an}
        rouva {PER} lähetti kirjeen {PER:lle}
        """
    ),
    open_patterns=_lines(
        """
        {noun} sanoi että {ANY} oli {adj}
        {ANY} oli hyvin {adj}
        {noun} odotti {ANY:a} koko päivän
        {ANY} ja {ANY} ovat {adj}
        {noun} kirjoitti {ANY:sta}
        """
    ),
    conjunctions=("ja", "mutta", "kun", "koska"),
    organisations=("{P:n} yliopisto", "{S} & Pojat", "{P:n} Pallo", "{P:n} Pankki", "{C} Oy", "{S:n} säätiö"),
    words={
        "noun": tuple(
            "raportti neuvosto joukkue museo silta yhtiö ystävä valmentaja kausi niemi laine salo".split()
        ),
        "adj": tuple("uusi vanha kuuluisa hiljainen outo kallis viimeinen paikallinen rikki".split()),
    },
)
GRAMMARS = {"de": GERMAN, "en": ENGLISH, "es": SPANISH, "fi": FINNISH}
