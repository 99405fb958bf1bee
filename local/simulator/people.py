"""Reference data as awkward as the real: apostrophes, leading zeros, commas, a misspelt town."""

from datetime import datetime

#: When the real database was seeded.
SEEDED_AT = datetime(2022, 11, 3, 14, 20, 49, 962000)

CURRENCIES = ("GBP", "USD", "EUR")
PAYMENT_TYPES = ("SALES_RECEIPT", "SALES_REFUND", "PURCHASE_PAYMENT", "PURCHASE_REFUND")
DEPARTMENTS = (
    ("Sales", "Manchester", "Richard Roma"),
    ("Purchasing", "Manchester", "Naomi Lapaglia"),
    ("Production", "Leeds", "Chester Ming"),
    ("Dispatch", "Leds", "Mark Hanna"),
    ("Finance", "Manchester", "Jordan Belfort"),
    ("Facilities", "Manchester", "Shelley Levene"),
    ("Communications", None, None),
    ("HR", "Leeds", "James Link"),
)
FIRST_NAMES = ("Jeremie", "Deron", "Jeanette", "Ana", "Magdalena", "Zoë", "Siân", "Łukasz", "Oswaldo", "D'Angelo")
LAST_NAMES = (
    "Franey",
    "Beier",
    "Erdman",
    "Glover",
    "O'Keefe",
    "Nuñez",
    "Müller",
    "O’Conner",
    "Zieliński",
    "Van der Berg",
)
STREETS = (
    "Herzog Via",
    "Alexie Cliffs",
    "Sincere Fort",
    "Fay Street",
    "O'Hara Mews",
    "Straße des 17. Juni",
    "Rue de l'Église",
)
CITIES = (
    ("New Patienceburgh", "Turkey"),
    ("Aliso Viejo", "San Marino"),
    ("Lake Charles", "Samoa"),
    ("Suffolk", "Democratic People's Republic of Korea"),
    ("Derekport", "Côte d'Ivoire"),
    ("Hackensack", "Saint Vincent and the Grenadines"),
    ("São Paulo", "Brazil"),
    ("北京", "China"),
)
COMPANIES = (
    "Fahey and Sons",
    "Leannon, Predovic and Morar",
    "Armstrong Inc",
    "Kohler Inc",
    "Frami, Yundt and Macejkovic",
    'Mraz "The Bag" LLC',
    "O'Connell - Reilly",
    "Padberg Group",
    "Müller & Söhne GmbH",
    "Terry-Hayes",
)
MATERIALS = ("Wooden", "Bronze", "Soft", "Granite", "Recycled", "Frozen", "Handmade", "Électrique")
THINGS = ("Shoes", "Tuna", "Chair", "Ball", "Keyboard", "Gloves", "Soap", "Bacon")
