"""Names of people, places and things in a made-up organisation. None is of anybody real."""

import unicodedata
from collections.abc import Sequence

from simbuilder.graph.synthetic.chance import Weighted

_PEOPLE = """
Olivia James Amelia Oliver Charlotte Harry Grace Thomas Emily Daniel Lucy Samuel Hannah Matthew
Sophie Andrew Alice Edward Rebecca Peter /
Smith Johnson Taylor Brown Wilson Walker Wright Robinson Thompson Hughes Green Carter Bennett
Foster O'Connor Murphy Campbell Stewart Harrison Fletcher

Maximilian Sophie Jürgen Käthe Lukas Johanna Björn Annika Matthias Ursula Günther Heike Tobias
Franziska Stefan Greta Jörg Renate Florian Annelie /
Müller Schmidt Schäfer Weber Köhler Hoffmann Krüger Becker Jäger Vogel Groß Lehmann Brandt Böhm
Winkler Schröder Albrecht Kühn Roth Seidel

Élodie Jérôme Camille François Zoé Théo Chloé Benoît Hélène Mathieu Margaux Rémi Agnès Loïc
Noémie Étienne Solène Gaël Clémence Antoine /
Dubois Lefèvre Moreau Gauthier Bérard Fournier Mercier Rousseau Chevalier Lacroix Garnier Hébert
Marchand Duval Perrin Giraud Bonnet Renaud Delorme Collet

María José Lucía Álvaro Sofía Andrés Inés Íñigo Begoña Joaquín Carmen Raúl Pilar Martín Ximena
Óscar Rocío Hernán Valeria Tomás /
García Fernández Muñoz Rodríguez Peña López Núñez Sánchez Ibáñez Ramírez Ortega Castaño Vega
Domínguez Quiñones Herrera Cortés Salazar Méndez Ríos

João Beatriz Gonçalo Inês Tiago Conceição Vítor Mariana António Luísa Caio Débora Thiago Fabíola
Henrique Letícia Rui Sílvia Murilo Júlia /
Silva Magalhães Araújo Simões Conceição Gonçalves Ribeiro Brandão Falcão Cardoso Teixeira
Guimarães Moura Assunção Lobão Azevedo Sampaio Vilela Prado Leitão

Łukasz Zofia Paweł Małgorzata Michał Agnieszka Stanisław Bożena Grzegorz Kinga Jiří Žofie Ondřej
Tereza Vojtěch Kateřina Marek Lenka Radosław Šárka /
Kowalski Wiśniewska Wójcik Zieliński Dąbrowski Szymański Woźniak Kozłowski Jabłoński Novák
Dvořák Černý Procházka Kučera Veselý Horák Němec Pokorný Růžička Kříž

Åsa Søren Freja Bjørn Ingrid Lars Märta Øyvind Sigrid Håkan Astrid Jørgen Linnéa Torbjörn Päivi
Jukka Aino Mikko Solveig Einar /
Johansson Sørensen Lindström Bjørnsen Håkansson Østergård Nyström Kjær Ångström Berglund Mäkinen
Virtanen Hämäläinen Järvinen Dahl Haugen Solberg Eklund Sjöberg Lund

Ayşe Mehmet Gülşah Çağla Özgür Şebnem İsmail Elif Doğan Nilüfer Umut Zeynep Tuğba Kerem Büşra
Ömer Selin Deniz Defne Yiğit /
Yavuz Kaya Demir Şahin Çelik Öztürk Erdem Arslan Doğan Uçar Koç Güneş Erdoğdu Aksoy Toprak Polat
Özkan Şimşek Bulut Tekin

Aarav Priya Rohan Ananya Vikram Kavya Arjun Meera Sanjay Divya Rahul Isha Nikhil Pooja Karthik
Lakshmi Aditya Neha Suresh Deepa /
Sharma Patel Iyer Reddy Nair Gupta Krishnan Mehta Banerjee Chatterjee Desai Joshi Kapoor Menon
Rao Singh Verma Bhat Pillai Malhotra

Wei Mei Jun Xiu Hao Lan Yuki Haruto Sakura Kenji Aiko Ren Min-jun Seo-yeon Ji-ho Ha-eun Minh
Thảo Đức Hương /
Chen Wang Zhang Liu Huang Lin Satō Suzuki Takahashi Itō Kobayashi Yamamoto Kim Park Choi Jung
Nguyễn Trần Lê Phạm

Amina Kwame Ngozi Thabo Zainab Chidi Folasade Sipho Wanjiru Tendai Abena Kofi Adaeze Mandla
Halima Sekou Nomvula Jabari Efua Babajide /
Okafor Mensah Ndlovu Adeyemi Mwangi Diallo Nkosi Balogun Otieno Boateng Traoré Dlamini Abiodun
Kamau Owusu Zulu Eze Chukwu Moyo Wekesa

Layla Omar Yasmin Karim Nour Hassan Salma Tariq Rania Youssef Leila Samir Dina Rashid Farah
Khalid Maryam Bilal Zahra Idris /
Haddad Mansour Khoury Rahman Nasser Farouk Saleh Aziz Bakr Darwish Hakim Jaber Kassem Malik
Najjar Qasim Sabbagh Tahan Younis Zidan
"""

_LETTERS = str.maketrans(
    {
        "ß": "ss",
        "ł": "l",
        "Ł": "L",
        "ø": "o",
        "Ø": "O",
        "đ": "d",
        "Đ": "D",
        "\u0131": "i",
        "æ": "ae",
    }
)


def plain(text: str) -> str:
    """Return `text` in lower-case ASCII letters and digits, as account names are written."""
    parts = unicodedata.normalize("NFKD", text.translate(_LETTERS)).lower()
    return "".join(each for each in parts if each.isascii() and each.isalnum())


def _paired(words: str) -> list[tuple[str, str]]:
    return [(word, plain(word)) for word in words.split()]


_PAIRS = [
    (_paired(given), _paired(family))
    for given, _, family in (block.partition("/") for block in _PEOPLE.split("\n\n"))
]
_CULTURES, _EACH = len(_PAIRS), 20
FULL_NAMES = _CULTURES * _EACH * _EACH
"""How many people can be told apart without an initial between their names."""

_STRIDE = 1_777
"""Shares no factor with `FULL_NAMES`, so that counting in it meets each name once."""


def person(index: int, offset: int) -> tuple[str, str, str, str]:
    """Return given name, family name, initial (or nothing) and a mail alias, unique by index."""
    again, place = divmod(index, FULL_NAMES)
    place = (place * _STRIDE + offset) % FULL_NAMES
    place, culture = divmod(place, _CULTURES)
    givens, families = _PAIRS[culture]
    given, plain_given = givens[place % _EACH]
    family, plain_family = families[place // _EACH]
    if not again:
        return given, family, "", f"{plain_given}.{plain_family}"
    initial = "abcdefghijklmnopqrstuvwxyz"[(again - 1) % 26]
    return given, family, initial.upper(), f"{plain_given}.{initial}.{plain_family}"


DEPARTMENTS: Sequence[tuple[str, str]] = (
    ("Executive Office", "Executive Assistant"),
    ("Operations", "Operations Specialist"),
    ("Sales", "Account Manager"),
    ("Information Technology", "Systems Engineer"),
    ("Engineering", "Software Engineer"),
    ("Customer Service", "Service Agent"),
    ("Finance", "Financial Analyst"),
    ("Manufacturing", "Production Technician"),
    ("Human Resources", "People Partner"),
    ("Logistics", "Supply Planner"),
    ("Marketing", "Campaign Manager"),
    ("Quality", "Quality Inspector"),
    ("Procurement", "Buyer"),
    ("Research", "Research Scientist"),
    ("Legal", "Counsel"),
    ("Facilities", "Facilities Coordinator"),
    ("Data Platform", "Data Engineer"),
    ("Product Management", "Product Manager"),
    ("Information Security", "Security Analyst"),
    ("Training", "Learning Consultant"),
    ("Regulatory Affairs", "Compliance Officer"),
    ("Communications", "Communications Editor"),
    ("Internal Audit", "Auditor"),
    ("Treasury", "Treasury Analyst"),
)
"""Departments, the first one small and at the top, and what most people in each are called."""

RANKS = Weighted(((30, ""), (34, "Senior "), (16, "Lead "), (14, "Junior "), (6, "Principal ")))

OFFICES = Weighted(
    (
        (24, ("Berlin", "DE")),
        (18, ("Manchester", "GB")),
        (14, ("Lyon", "FR")),
        (12, ("Chicago", "US")),
        (10, ("Kraków", "PL")),
        (8, ("Pune", "IN")),
        (5, ("São Paulo", "BR")),
        (4, ("Göteborg", "SE")),
        (3, ("Ōsaka", "JP")),
        (2, ("Nairobi", "KE")),
    )
)

PARTNERS = Weighted(
    ((40, "fabrikam"), (25, "adatum"), (15, "tailspintoys"), (12, "wingtip"), (8, "litware"))
)
"""Organisations that guests come from, from Microsoft's list of made-up companies."""

PROJECTS = (
    *("Aurora", "Basalt", "Cobalt", "Delta", "Ember", "Falcon", "Glacier", "Harbor", "Indigo"),
    *("Juniper", "Kestrel", "Lighthouse", "Meridian", "Nimbus", "Orchid", "Pinnacle", "Quartz"),
    *("Raven", "Sequoia", "Tundra", "Umbra", "Vertex", "Willow", "Xenon", "Yonder", "Zephyr"),
)

WORKLOADS = (
    *("payroll", "billing", "crm", "warehouse", "intranet", "reporting", "telemetry", "booking"),
    *("identity", "catalog", "shipping", "archive", "forecast", "pricing", "claims", "portal"),
    *("search", "messaging", "ledger", "inventory", "labs", "mobile", "gateway", "backup"),
)
"""What applications, subscriptions and resource groups are for."""

STAGES = Weighted(((45, "prod"), (25, "dev"), (18, "test"), (12, "stage")))
REGIONS = Weighted(
    (
        (50, "westeurope"),
        (22, "northeurope"),
        (14, "germanywestcentral"),
        (9, "eastus2"),
        (5, "uksouth"),
    )
)

MACHINES = Weighted(
    (
        (44, ("Windows", "10.0.22631.4602", "Dell Inc.", "Latitude 7450")),
        (22, ("Windows", "10.0.26100.2894", "LENOVO", "ThinkPad T14 Gen 5")),
        (14, ("iOS", "18.2.1", "Apple", "iPhone 15")),
        (10, ("Android", "15.0", "Samsung", "Galaxy S24")),
        (8, ("MacMDM", "15.2", "Apple", "MacBook Pro")),
        (2, ("Linux", "Ubuntu 24.04", "HP", "ZBook G11")),
    )
)
"""Operating system, version, manufacturer and model of devices, by how common they are."""
