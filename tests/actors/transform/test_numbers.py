"""Spoken numbers as digits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sottovoce.actors.transform.asking import CONTEXT, TRIGGERS
from sottovoce.actors.transform.moments import COUNTED, MONTHS
from sottovoce.actors.transform.numbers import Mode, convert
from sottovoce.actors.transform.numerals import suffixed
from sottovoce.actors.transform.vocabulary import NUMBERS, listed

try:
    from num2words import num2words
except ImportError:
    num2words = None

SPEECH = Path(__file__).parents[4] / "shared" / "speech"


def written(text: str, mode: Mode = "explicit") -> str:
    """Return the text with its numbers converted."""
    return " ".join(convert(text.split(), mode))


def table(*rows: str) -> pytest.MarkDecorator:
    """Parametrise over "heard -> written"; a row without an arrow stays as it is."""
    pairs = [tuple(row.split(" -> ")) if " -> " in row else (row, row) for row in rows]
    assert len({pair[0] for pair in pairs}) == len(pairs)
    return pytest.mark.parametrize(("heard", "expected"), pairs)


@table(
    "number five -> 5",
    "number forty two -> 42",
    "Number forty-two. -> 42.",
    "Number, forty two. -> 42.",
    "number one hundred -> 100",
    "number one hundred and five -> 105",
    "number two thousand twenty five -> 2025",
    "number twelve thousand three hundred -> 12300",
    "number two million -> 2000000",
    "number minus five -> -5",
    "number negative twelve -> -12",
    "number three point five -> 3.5",
    "number zero point zero five -> 0.05",
    "number three point one four one five nine -> 3.14159",
    "number twenty first -> 21st",
    "number twenty five percent -> 25%",
    "number twenty five per cent -> 25%",
    "number five dollars -> $5",
    "number nineteen fifty -> 1950",
    "number one two three four -> 1234",
    "type number seven please -> type 7 please",
    "press number five, then stop -> press 5, then stop",
    "digit five -> 5",
    "Digit seven. -> 7.",
    "digits four oh four -> 404",
    "digits one two three -> 123",
    "digits five five five one two three four -> 5551234",
    "the code is digits nine zero two one zero -> the code is 90210",
    "add number ten and number twenty -> add 10 and 20",
    "number one hundred and first -> 101st",
    "number number five -> 5",
    "digits five five five hyphen one two three four -> 555-1234",
    "digits five five five dash one two three four -> 555-1234",
    "Number 42. -> 42.",
    "Number, 42. -> 42.",
    "we need number 42 tests -> we need 42 tests",
    "number 3.5 -> 3.5",
    "number 3 point 5 -> 3.5",
    "digits 4 0 4 -> 404",
    "digits 4 oh 4 -> 404",
    "(number five) -> (5)",
    "“number five” -> “5”",
)
def test_a_trigger_goes_and_digits_follow(heard: str, expected: str) -> None:
    """After `number`, `digit` and `digits` any number is digits, in both modes, and the trigger is not written."""
    assert written(heard) == expected
    assert written(heard, "natural") == expected


@table(
    "our number one reason",
    "the number one reason",
    "we are number one",
    "he's number two",
    "a number of people",
    "number of people",
    "the number",
    "any number",
    "a digit",
    "number sign",
    "what number is it",
    "number. Five of them",
    "literal number five",
    "the word number five",
    "say number five",
    "literally number five",
    "number first",
    "room number five -> room number 5",
    "flight number two oh nine -> flight number 209",
    "phone number five five five one two three four -> phone number 555-1234",
    "Phone number: five five five one two three four",
    "my phone number two one two five five five one two three four -> my phone number 212-555-1234",
    "line number forty two -> line number 42",
    "issue number twelve -> issue number 12",
    "the number forty two -> the number 42",
    "the last four digits one two three four -> the last four digits 1234",
    "the number twenty first -> the number 21st",
    "room number twenty first -> room number 21st",
    "the number one hundred and first -> the number 101st",
    "my phone number five five five dash one two three four -> my phone number 555-1234",
    "room number 42",
    "the number 42",
    "we are number 1",
    "literal number 42",
    "we must number five pages by hand",
    "they will number ten copies",
    "please number ten pages",
    "they number five hundred",
    "will number five work -> will 5 work",
    "please type number ten -> please type 10",
)
def test_number_as_a_noun_stays(heard: str, expected: str) -> None:
    """After a determiner, a form of "to be", an escape or a noun that is numbered, "number" is a word like others."""
    assert written(heard) == expected


@table(
    "line five -> line 5",
    "line forty two -> line 42",
    "Line forty-two, please. -> Line 42, please.",
    "go to line one hundred and five -> go to line 105",
    "line one thousand two hundred -> line 1200",
    "line twelve thousand -> line 12000",
    "line four fifty -> line 450",
    "line three thirty -> line 330",
    "line one -> line 1",
    "version two -> version 2",
    "version three point five -> version 3.5",
    "version three point one one point four -> version 3.11.4",
    "version three point eleven point four -> version 3.11.4",
    "version one dot two dot three -> version 1.2.3",
    "version two point zero -> version 2.0",
    "Version two point oh. -> Version 2.0.",
    "release twenty four point oh four -> release 24.04",
    "release twenty twenty five -> release 2025",
    "step one is done -> step 1 is done",
    "step twelve. -> step 12.",
    "option three -> option 3",
    "option one or two -> option 1 or 2",
    "error four oh four -> error 404",
    "error five hundred -> error 500",
    "an error forty two was raised -> an error 42 was raised",
    "port eight thousand eighty -> port 8080",
    "port eighty eighty -> port 8080",
    "port eight zero eight zero -> port 8080",
    "port four forty three -> port 443",
    "port twenty two -> port 22",
    "port eighty four forty three -> port 8443",
    "page ten -> page 10",
    "page one twenty three -> page 123",
    "page three to five -> page 3 to 5",
    "between page three and five -> between page 3 and 5",
    "page nine of ten -> page 9 of 10",
    "line five of the file -> line 5 of the file",
    "chapter seven, page two -> chapter 7, page 2",
    "chapter eleven -> chapter 11",
    "item six -> item 6",
    "line ten to twenty -> line 10 to 20",
    "line nine through twelve -> line 9 through 12",
    "step two and step three -> step 2 and step 3",
    "go to page five -> go to page 5",
    "on port eighty -> on port 80",
    "we need version two -> we need version 2",
    "to version three -> to version 3",
    "please see page two -> please see page 2",
    "i will show you page five -> i will show you page 5",
    "take me to page ten -> take me to page 10",
    "we are going to page five -> we are going to page 5",
    "not page two but page three -> not page 2 but page 3",
    "will line forty two be removed -> will line 42 be removed",
    "when will release two ship -> when will release 2 ship",
    "should page two show results -> should page 2 show results",
    "in may release two comes out -> in may release 2 comes out",
    "they said line two fails -> they said line 2 fails",
    "option one would work -> option 1 would work",
    "step one could fail -> step 1 could fail",
    "the old version one should go -> the old version 1 should go",
    "page forty two dash forty five -> page 42-45",
    "page forty two hyphen forty five -> page 42-45",
    "error 4 0 4 -> error 404",
    "Error 4 oh 4, again. -> Error 404, again.",
    "(line two) -> (line 2)",
)
def test_numbers_after_context_words_are_digits(heard: str, expected: str) -> None:
    """What is numbered by custom gets its number in digits, without separators, and keeps its name."""
    assert written(heard) == expected


@table(
    "the line, forty two people",
    "new line two eggs",
    "next line three apples",
    "on this page one finds",
    "in that version one can see",
    "we release two times a year",
    "step two feet to the left",
    "the release two weeks ago",
    "page twenty first",
    "the bottom line",
    "lines two and three",
    "pages one en dash four",
    "literal line two",
    "line a hundred people up",
    "line 42",
    "version 3.11",
    "port 8080 forty",
    "line -",
    "they will release five hostages",
    "the government will release two reports",
    "we release one build a week",
    "we can also release two builds",
    "they do not release five",
    "she wants us to release ten tickets",
    "please release two of them",
    "let's port three modules",
    "to port two games",
    "we need to page two doctors",
    "i am going to release two new games",
    "please line ten chairs up",
    "he'll page two nurses",
    "that was a fine line one should not cross",
    "the best option one could hope for",
    "the best version one gets",
    "one step two steps three steps",
    "line one hundred and first",
    "line two hundredth",
    "hash sign twenty first",
    "step 4 2 times",
    "line five 3",
)
def test_context_words_in_other_uses_stay(heard: str, expected: str) -> None:
    """A mark, a command, a pronoun or a unit keeps the words after a context word as they are."""
    assert written(heard) == expected


@table(
    "in nineteen fifty -> in 1950",
    "In nineteen fifty, we left. -> In 1950, we left.",
    "in nineteen-fifty -> in 1950",
    "since twenty twenty five -> since 2025",
    "by twenty twenty-five -> by 2025",
    "in nineteen oh five -> in 1905",
    "in twenty oh five -> in 2005",
    "in two thousand and five -> in 2005",
    "in two thousand twenty five -> in 2025",
    "in ten sixty six -> in 1066",
    "from nineteen fourteen to nineteen eighteen -> from 1914 to 1918",
    "between nineteen fifty and nineteen sixty -> between 1950 and 1960",
    "from 1950 to nineteen sixty -> from 1950 to 1960",
    "the summer of nineteen sixty nine -> the summer of 1969",
    "the year nineteen eighty four -> the year 1984",
    "until seventeen seventy six -> until 1776",
    "early twenty twenty -> early 2020",
    "copyright twenty twenty six -> copyright 2026",
    "june twenty twenty five -> June 2025",
    "In March twenty twenty five. -> In March 2025.",
    "the nineteen fifties -> the 1950s",
    "The nineteen-eighties were loud. -> The 1980s were loud.",
    "the eighteen hundreds -> the 1800s",
    "the twenty twenties -> the 2020s",
    "nineteen twenties jazz -> 1920s jazz",
    "march third twenty twenty five -> March 3, 2025",
    "March third, twenty twenty-five. -> March 3, 2025.",
    "july fourth seventeen seventy six -> July 4, 1776",
    "december twenty fifth nineteen ninety nine -> December 25, 1999",
    "may the fourth nineteen seventy seven -> May 4, 1977",
    "march three twenty twenty five -> March 3, 2025",
    "march twenty five twenty twenty five -> March 25, 2025",
    "March 3, twenty twenty five -> March 3, 2025",
    "june fifth comma nineteen ninety two -> June 5 comma 1992",
    "june the fifth comma nineteen ninety two -> June 5 comma 1992",
    "april first comma two thousand and twenty -> April 1 comma 2020",
    "March third, comma, two thousand twenty. -> March 3, comma, 2020.",
    "March 3 comma twenty twenty five -> March 3 comma 2025",
    "the third of march comma twenty twenty five -> the 3rd of March comma 2025",
    "nineteen oh five was a hard year -> 1905 was a hard year",
    "the winter came in twenty oh one -> the winter came in 2001",
    "my phone number is five five five dash one two three four -> my phone number is 555-1234",
    "my order number is five five five one two three four -> my order number is 5551234",
    "the third of march twenty twenty five -> the 3rd of March 2025",
    "the twenty first of june nineteen seventy -> the 21st of June 1970",
    "one ninety two dot one six eight dot zero dot one -> 192.168.0.1",
    "ten dot zero dot zero dot one -> 10.0.0.1",
    "one twenty seven dot zero dot zero dot one -> 127.0.0.1",
    "two fifty five dot two fifty five dot two fifty five dot zero -> 255.255.255.0",
    "python three point one one point four -> python 3.11.4",
    "fifty percent sign -> 50 percent sign",
    "five degree sign -> 5 degree sign",
    "twenty five per cent sign -> 25 per cent sign",
    "dollar sign fifty -> dollar sign 50",
    "dollar sign, fifty. -> dollar sign, 50.",
    "hash sign twelve -> hash sign 12",
    "number nineteen fifties -> 1950s",
    "number point five -> 0.5",
    "my phone number is five five five one two three four -> my phone number is 555-1234",
    "call eight hundred five five five one two three four -> call 800-555-1234",
)
def test_explicit_writes_what_nothing_else_can_mean(heard: str, expected: str) -> None:
    """Years beside words that make them years, decades of a century, full dates and addresses need no trigger."""
    assert written(heard) == expected
    assert written(heard, "natural") == expected


@table(
    "one of them",
    "forty two people",
    "a hundred",
    "twenty five percent",
    "five dollars",
    "nineteen fifty",
    "in fifteen twenty minute sessions",
    "in front of twenty thirty people",
    "in two thousand cases",
    "of one thousand nine hundred fifty troops",
    "half past three",
    "three thirty pm",
    "march third",
    "twenty first",
    "the fifties",
    "her twenties",
    "minus five",
    "three point five",
    "one, two, three",
    "first of all",
    "four oh four",
    "at three thirty",
    "array open bracket zero close bracket",
    "the one and only",
    "wait a second",
    "in one or two places",
    "nineteen, fifty",
    "at nineteen oh five",
    "fourteen oh five hours",
    "it cost nineteen oh five",
    "march third comma ten people came",
    "two thousand, five hundred dollars",
)
def test_explicit_leaves_plain_numbers(heard: str, expected: str) -> None:
    """Without a trigger or a context, number words are words."""
    assert written(heard) == expected


@table(
    "one of them",
    "no one knows",
    "two or three people",
    "one by one",
    "two by two",
    "one, two, three",
    "a hundred",
    "a hundred people",
    "a thousand times",
    "one in a million",
    "a couple of days",
    "two and a half",
    "half a million",
    "one third of it",
    "two thirds",
    "a tenth of it",
    "one tenth of it",
    "at the eleventh hour",
    "the first and the third",
    "wait a second",
    "two or three hundred people",
    "nine to five",
    "the fifties",
    "zero tolerance",
    "literal forty two",
    "the word forty two",
    "may five people come",
    "two twenty minute talks",
    "from twenty thirty people",
    "march on",
    "hundreds of people",
    "it has 5 million two hundred",
    "at this point five people left",
    "dot dot dot",
    "three dots",
    "six feet",
    "may",
    "minus a few",
    "a negative five",
    "five-year-old",
    "twenty-something",
    "seven eleven",
    "nineteen fifty dollar bottles",
    "five hundred dollar bills",
    "twenty nine ninety nine",
    "three ninety nine",
    "lend a quarter to two friends",
    "everyone minus two people",
    "forty winks",
    "i told him one two three times",
    "fifteen hundredth of a second",
)
def test_natural_leaves_what_style_has_in_words(heard: str, expected: str) -> None:
    """One to nine, fractions, idioms, marks of the engine and escapes keep words in natural mode."""
    assert written(heard, "natural") == expected


@table(
    "ten people -> 10 people",
    "forty two -> 42",
    "Forty-two. -> 42.",
    "twenty-five, maybe -> 25, maybe",
    "one hundred -> 100",
    "one hundred and one -> 101",
    "a hundred and twenty five -> 125",
    "two thousand -> 2000",
    "fifteen hundred people -> 1500 people",
    "twelve thousand three hundred -> 12,300",
    "a hundred and twenty five thousand three hundred and six -> 125,306",
    "twenty five million people -> 25 million people",
    "three point five million -> 3.5 million",
    "one million two hundred thousand -> 1,200,000",
    "two billion -> 2 billion",
    "between one hundred and two hundred -> between 100 and 200",
    "between ten and twenty -> between 10 and 20",
    "five to ten people -> 5 to 10 people",
    "eight or ten -> 8 or 10",
    "between eight and twelve -> between 8 and 12",
    "ten to four -> 10 to 4",
    "ten to one of them -> 10 to one of them",
    "nineteen fifty -> 1950",
    "twenty twenty five -> 2025",
    "nineteen hundred -> 1900",
    "four oh four -> 404",
    "one two three four -> 1234",
    "one oh one -> 101",
    "nine one one -> 911",
    "forty two fifty -> 4250",
    "one twenty three -> 123",
    "catch twenty two -> catch 22",
    "twenty four seven -> 24/7",
    "fifty fifty -> 50/50",
    "nine eleven -> 9/11",
    "twenty twenty vision -> 20/20 vision",
    "hindsight is twenty twenty -> hindsight is 20/20",
    "three point five -> 3.5",
    "zero point five -> 0.5",
    "nine point nine nine -> 9.99",
    "three point fourteen -> 3.14",
    "ninety eight point six -> 98.6",
    "twenty first -> 21st",
    "twenty-first century -> 21st century",
    "the twentieth century -> the 20th century",
    "a twentieth century novel -> a 20th century novel",
    "tenth -> 10th",
    "twelfth night -> 12th night",
    "one hundred and first -> 101st",
    "one hundred twenty third -> 123rd",
    "eleventh -> 11th",
    "the twenty second floor -> the 22nd floor",
    "a twenty second pause -> a 20 second pause",
    "the thirty second timer -> the 30 second timer",
    "minus five -> -5",
    "minus five degrees -> -5 degrees",
    "negative twenty -> -20",
    "minus three point five -> -3.5",
    "ten minus five -> 10 minus five",
    "twenty five percent -> 25%",
    "Twenty five percent. -> 25%.",
    "five percent -> 5%",
    "a hundred percent -> 100%",
    "three point five percent -> 3.5%",
    "five to ten percent -> 5 to 10%",
    "five per cent -> 5%",
    "fifty percent sign -> 50 percent sign",
    "five dollars -> $5",
    "one dollar -> $1",
    "a five dollar bill -> a $5 bill",
    "twenty euros -> €20",
    "ten pounds -> £10",
    "a five pound note -> a £5 note",
    "lost ten pounds -> lost 10 pounds",
    "ten pounds of flour -> 10 pounds of flour",
    "five hundred yen -> ¥500",
    "one thousand dollars -> $1,000",
    "a thousand dollars -> $1,000",
    "two million dollars -> $2 million",
    "three point five million dollars -> $3.5 million",
    "five dollars and fifty cents -> $5.50",
    "five dollars fifty -> $5.50",
    "twenty dollars and five cents -> $20.05",
    "nineteen point nine nine dollars -> $19.99",
    "fifty cents -> 50 cents",
    "five to ten dollars -> $5 to $10",
    "minus twenty dollars -> -$20",
    "nineteen ninety nine dollars -> $19.99",
    "twelve fifty pounds -> £12.50",
    "two fifty dollars -> $250",
    "two twenty dollar bills -> two $20 bills",
    "it costs two twenty dollar bills -> it costs two $20 bills",
    "a two fifty dollar phone -> a $250 phone",
    "it costs nineteen ninety nine -> it costs 19.99",
    "it costs three thirty -> it costs 3.30",
    "i paid nineteen ninety five for it -> i paid 19.95 for it",
    "it sells for twenty nine ninety nine -> it sells for 29.99",
    "i bought it for nine fifty -> i bought it for 9.50",
    "that will be twelve ninety nine please -> that will be 12.99 please",
    "that will be twelve thirty -> that will be 12:30",
    "the price is nineteen ninety nine -> the price is 19.99",
    "the year is nineteen ninety nine -> the year is 1999",
    "it is only nine thirty -> it is only 9:30",
    "it is only nine ninety nine -> it is only 9.99",
    "he charged me nineteen ninety nine dollars -> he charged me $19.99",
    "at three fifty a gallon -> at 3.50 a gallon",
    "at nine thirty a man came -> at 9:30 a man came",
    "room three ninety nine -> room 399",
    "Two thousand, five hundred dollars. -> $2,500.",
    "One million, two hundred thousand people. -> 1,200,000 people.",
    "One hundred thousand, five hundred. -> 100,500.",
    "Two thousand, five hundred and ten. -> 2510.",
    "One thousand, two thousand, three thousand. -> 1000, 2000, 3000.",
    "In two thousand, five people came. -> In 2000, five people came.",
    "at a quarter to two we left -> at 1:45 we left",
    "the bill minus ten dollars -> the bill minus $10",
    "ten dollars minus two dollars -> $10 minus $2",
    "fifty percent minus ten percent -> 50% minus 10%",
    "ten people minus two kids -> 10 people minus two kids",
    "x minus ten -> x minus 10",
    "it is minus ten -> it is -10",
    "the temperature today minus ten degrees -> the temperature today -10 degrees",
    "between minus five and minus ten -> between -5 and -10",
    "i was forty second in line -> i was 42nd in line",
    "thirty second in the race -> 32nd in the race",
    "a forty second in the video -> a 40 second in the video",
    "the serial is five five five one two three four -> the serial is 5551234",
    "isbn nine seven eight one two three four five six seven -> isbn 9781234567",
    "call me at five five five one two three four -> call me at 555-1234",
    "january twenty first at three pm -> January 21 at 3 pm",
    "the morning of march third -> the morning of March 3",
    "twenty dollar sign -> 20 dollar sign",
    "march third -> March 3",
    "March third. -> March 3.",
    "june twenty first -> June 21",
    "june twenty one -> June 21",
    "june the fifth -> June 5",
    "october twenty second -> October 22",
    "may fifth -> May 5",
    "the third of march -> the 3rd of March",
    "the twenty second of may -> the 22nd of May",
    "half past three -> 3:30",
    "quarter past three -> 3:15",
    "at a quarter to four -> at 3:45",
    "quarter to one -> 12:45",
    "at ten to four -> at 3:50",
    "it's twenty five past six -> it's 6:25",
    "three thirty pm -> 3:30 pm",
    "three thirty p.m. -> 3:30 p.m.",
    "three thirty p m -> 3:30 pm",
    "three pm -> 3 pm",
    "Three PM. -> 3 PM.",
    "seven am -> 7 am",
    "three oh five pm -> 3:05 pm",
    "at three oh five -> at 3:05",
    "at ten fifteen -> at 10:15",
    "three thirty -> 3:30",
    "nine o'clock -> 9 o'clock",
    "at fourteen thirty -> at 14:30",
    "at twelve thirty four main street -> at 1234 main street",
    "the meeting is from nine thirty to eleven fifteen -> the meeting is from 9:30 to 11:15",
    "the ratio is ten to one -> the ratio is 10 to 1",
    "january first two thousand -> January 1, 2000",
    "she came twenty second -> she came 22nd",
    "from the tenth to the twentieth of april -> from the 10th to the 20th of April",
    "the war of eighteen twelve -> the war of 1812",
    "two hundred and fifty thousand euros -> €250,000",
    "ten percent to twenty percent -> 10% to 20%",
    "she is twenty five years old and he is seven -> she is 25 years old and he is seven",
    "a two hundred dollar phone -> a $200 phone",
    "before eleven twenty -> before 11:20",
    "five five five one two three four -> 555-1234",
    "call two one two five five five one two three four -> call 212-555-1234",
    "one eight hundred five five five one two three four -> 1-800-555-1234",
    "eight hundred five five five one two three four -> 800-555-1234",
    "five five five twelve thirty four -> 555-1234",
    "three dot five -> 3.5",
    "twenty five and a half -> 25 and a half",
    "forty-two fifty-three -> 4253",
    "the year is twenty twenty five. -> the year is 2025.",
    "(forty two) -> (42)",
    "“forty two” -> “42”",
    "I have 42 of them and thirty more -> I have 42 of them and 30 more",
    "$5 and ten dollars -> $5 and $10",
)
def test_natural_writes_what_people_expect(heard: str, expected: str) -> None:
    """Natural mode is inverse text normalisation by the usual rules of style."""
    assert written(heard, "natural") == expected


@pytest.mark.parametrize("mode", ["explicit", "natural", "off"])
@pytest.mark.parametrize(
    "text", ["", "hello world", "line 42", "It cost $5, or 3.5% of 1455.", "The point is minus", "number of lines"]
)
def test_a_text_without_number_words_is_the_same_list(text: str, mode: Mode) -> None:
    """Nothing to convert costs no copy, and what the engine wrote as digits is left in peace, beside a trigger too."""
    chunks = text.split()
    assert convert(chunks, mode) is chunks


def test_off_leaves_everything() -> None:
    """Mode off returns what it was given, triggers and all."""
    chunks = ["number", "forty", "two"]
    assert convert(chunks, "off") is chunks
    assert chunks == ["number", "forty", "two"]


def test_the_list_that_was_given_stays_as_it_was() -> None:
    """The result is another list: the pass has no effect on its argument."""
    chunks = ["line", "forty-two."]
    assert convert(chunks) == ["line", "42."]
    assert chunks == ["line", "forty-two."]


def test_prose_of_the_shared_clips_is_unchanged() -> None:
    """The texts of the shared clips come back as the lists that were given."""
    manifest = SPEECH / "manifest.jsonl"
    if not manifest.exists():
        pytest.skip("no shared speech beside the checkout; put it at ../shared/speech")
    for line in manifest.read_text().splitlines():
        chunks = (json.loads(line)["text"] or "").split()
        assert convert(chunks) is chunks


VOCABULARY = sorted(
    {*NUMBERS, *TRIGGERS, *CONTEXT, *MONTHS, *COUNTED}
    | listed(
        "a an and oh point dot minus the of to or in by from at half quarter past between pm am p m o'clock per cent"
    )
    | listed(
        "sign is literal word say new 42 1950 3.5 $5 forty-two nineteen-fifty thousand-one two-thirds one-of - – é"
    )
)
spoken = st.lists(
    st.builds(
        lambda lead, word, trail: lead + word + trail,
        st.sampled_from(["", "", "", "", "(", "“"]),
        st.sampled_from(VOCABULARY),
        st.sampled_from(["", "", "", "", "", ",", ".", "?", ")", "..."]),
    ),
    max_size=12,
)
modes = st.sampled_from(["explicit", "natural"])


@given(spoken, modes)
@example(["number", "number", "five"], "explicit")
@example(["they", "number", "twelve"], "natural")
@example(["item", "0", "oh", "twenty"], "natural")
def test_what_it_returns_it_returns_unchanged(chunks: list[str], mode: Mode) -> None:
    """Converting twice is converting once, for any sequence of the words that it knows."""
    once = convert(chunks, mode)
    assert convert(once, mode) is once


@given(st.lists(st.text()), modes)
@example(["one"] * 2000, "natural")
@example(["number"] * 2000, "explicit")
@example([""], "natural")
@example(["-"], "natural")
@example(["twenty-"], "explicit")
def test_no_text_raises(chunks: list[str], mode: Mode) -> None:
    """Any strings are taken, empty ones and ones with white space inside too."""
    assert isinstance(convert(chunks, mode), list)


@given(st.lists(st.sampled_from(["Ada", "naïve", "1455", "3.5", "$5", "it's", "U.S.", "well-known", "–", "x."])), modes)
def test_words_that_are_no_numbers_stay(chunks: list[str], mode: Mode) -> None:
    """A text without number words is the list that was given."""
    assert convert(chunks, mode) is chunks


@given(st.integers(0, 10**9))
@example(10**9)
@example(1_000_001)
def test_cardinals_come_back(value: int) -> None:
    """Every number to a thousand million is read as it was said, with "and" and hyphens, by trigger and context."""
    said = _num2words(value).replace(",", "")
    assert written(f"number {said}") == str(value)
    assert written(f"line {said.replace('-', ' ')}") == f"line {value}"


@given(st.integers(10, 10**6 - 1))
def test_cardinals_come_back_in_natural_mode(value: int) -> None:
    """From ten on a number is digits, grouped by threes from ten thousand on."""
    said = _num2words(value).replace(",", "")
    assert written(said, "natural").replace(",", "") == str(value)


@given(st.integers(10, 99_999).filter(lambda value: value % 100 != 0 and value % 100 not in range(22, 100, 10)))
def test_ordinals_come_back(value: int) -> None:
    """Ordinals from the tenth on are read as they were said; "twenty second" is another test's."""
    assert (
        written(f"the {_num2words(value, to='ordinal').replace(',', '')} time", "natural")
        == f"the {suffixed(value)} time"
    )


@given(st.integers(1301, 2099).filter(lambda year: year % 100 != 0))
def test_years_come_back(year: int) -> None:
    """A year said as two numbers is one in both modes where a word before it says so."""
    said = _num2words(year, to="year").replace("-", " ")
    for mode in ("explicit", "natural"):
        assert written(f"in {said} we left", mode) == f"in {year} we left"


def _num2words(value: int, to: str = "cardinal") -> str:
    """Say a number; independent of the code under test."""
    if num2words is None:
        pytest.skip("needs num2words: uv pip install num2words")
    return str(num2words(value, to=to))
