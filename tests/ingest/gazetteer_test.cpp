#include "gazetteer/gazetteer.h"

#include "gazetteer/gazetteer_data.h"
#include "gazetteer/place_text.h"

#include <cmath>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace headpond::ingest {
namespace {

// "AU Kununurra high", or "nothing".
std::string located(const PlaceQuery& query) {
    const std::optional<Place> place = Gazetteer::builtin().locate(query);
    if (!place) return "nothing";
    return place->country + " " + place->name + " " + std::string(to_string(place->confidence));
}

std::string in_title(std::string_view title) {
    return located({title, "", "", ""});
}

// The same without the confidence.
std::string placed(const PlaceQuery& query) {
    const std::optional<Place> place = Gazetteer::builtin().locate(query);
    return place ? place->country + " " + place->name : "nothing";
}

std::string placed(std::string_view title) {
    return placed(PlaceQuery{title, "", "", ""});
}

std::string country(std::string_view title, std::string_view link = "") {
    const std::optional<Place> place = Gazetteer::builtin().locate({title, "", "", link});
    return place ? place->country : "nothing";
}

// A gazetteer of a few places, so that a rule can be seen without the world's names.
constexpr std::string_view small_world =
    "C\tAA\tAland\tOld Aland\tAlish\n"
    "C\tBB\tBeland\t\tBelish\n"
    "W\tplace_before\tin|near\n"
    "W\tdistance_unit\tkm\n"
    "W\tdirection\tnorth|n\n"
    "R\tAA.01\tNorth Shore\n"
    "D\tHarbour District\n"
    "\tMoresk\t10.0\t20.0\t400000\tMoresque\n"
    "\tTwinton\t10.5\t20.5\t90000\n"
    "R\tBB.02\tSouth Shore\n"
    "\tTwinton\t-30.0\t-60.0\t120000\n"
    "\tCapital\t-31.0\t-61.0\t3000000\n";

TEST(Gazetteer, PlacesACityByItsName) {
    const std::optional<Place> place =
        Gazetteer::builtin().locate({"Building collapse kills 12 in Mumbai", "", "", ""});
    ASSERT_TRUE(place);
    EXPECT_EQ(place->name, "Mumbai");
    EXPECT_EQ(place->country, "IN");
    EXPECT_NEAR(place->latitude, 19.07, 0.1);
    EXPECT_NEAR(place->longitude, 72.88, 0.1);
    EXPECT_EQ(place->confidence, Confidence::medium);
    EXPECT_NE(place->basis.find("Maharashtra"), std::string::npos) << place->basis;
}

TEST(Gazetteer, FindsNothingWhereNothingIsNamed) {
    EXPECT_EQ(placed(""), "nothing");
    EXPECT_EQ(placed("Five ways to save money this winter"), "nothing");
    EXPECT_EQ(placed("NATO chief warns of new threats"), "nothing");
}

TEST(Gazetteer, PlacesACountryAtItsMostPopulousCity) {
    const std::optional<Place> place =
        Gazetteer::builtin().locate({"Drought is on going in Australia", "", "", ""});
    ASSERT_TRUE(place);
    EXPECT_EQ(place->name, "Australia");
    EXPECT_EQ(place->confidence, Confidence::low);
    EXPECT_LT(distance_km(place->latitude, place->longitude, -33.87, 151.21), 20);
}

TEST(Gazetteer, TakesTheFirstOfSeveralCountries) {
    EXPECT_EQ(in_title("Drought in Kenya, Somalia and Ethiopia"), "KE Kenya low");
    EXPECT_EQ(in_title("Floods in Bosnia & Herzegovina, Serbia"), "BA Bosnia and Herzegovina low");
}

TEST(Gazetteer, PrefersTheCountryThatTheTextNames) {
    EXPECT_EQ(in_title("Flash floods in Valencia, Spain"), "ES Valencia high");
    EXPECT_EQ(in_title("Protest in Valencia, Venezuela"), "VE Valencia high");
    EXPECT_EQ(placed({"Fire in Valencia", "Officials in Venezuela said it was out.", "", ""}),
              "VE Valencia");
    EXPECT_EQ(placed("Fire in Paris"), "FR Paris");
}

TEST(Gazetteer, ReadsRegionsAndTheirAbbreviationsBehindAComma) {
    EXPECT_EQ(in_title("Tornado hits Paris, Texas"), "US Paris high");
    EXPECT_EQ(in_title("Tornado hits Paris, TX"), "US Paris high");
    EXPECT_EQ(placed("Fire in Perth, WA"), "AU Perth");
    EXPECT_EQ(placed("Fire in Spokane, WA"), "US Spokane");
    EXPECT_EQ(placed("Wildfire near Kelowna, B.C., grows"), "CA Kelowna");
    EXPECT_EQ(placed("Heatwave in Bihar"), "IN Bihar");
    EXPECT_EQ(country("Brush fire prompts evacuations in Los Angeles County"), "US");
}

TEST(Gazetteer, TellsCountriesFromRegionsOfTheSameName) {
    EXPECT_EQ(placed("Atlanta, Georgia: water main breaks"), "US Atlanta");
    EXPECT_EQ(placed("Protests in Tbilisi as Georgia passes law"), "GE Tbilisi");
    EXPECT_EQ(placed("Train derails in Lebanon, Pennsylvania"), "US Lebanon");
    EXPECT_EQ(placed("Lebanon marks anniversary of port blast"), "LB Lebanon");
}

TEST(Gazetteer, AWordThatIsNoPlaceHereIsNone) {
    EXPECT_EQ(placed("The Drought alert level is Orange."), "nothing");
    EXPECT_EQ(placed("Orange alert issued for high winds"), "nothing");
    EXPECT_EQ(placed("Roman Theatre mask sells at auction"), "nothing");
    EXPECT_EQ(placed("Stocks rally in March after strong quarter"), "nothing");
    EXPECT_EQ(placed("Mobile phone sales fall"), "nothing");
    EXPECT_EQ(placed("Hurricane Florence weakens over ocean"), "nothing");
    EXPECT_EQ(placed("Paris Agreement turns ten"), "nothing");
}

TEST(Gazetteer, TheSameWordIsAPlaceWhereTheTextSaysSo) {
    EXPECT_EQ(placed("Chemical fire in Orange, Texas"), "US Orange");
    EXPECT_EQ(placed("Gas explosion in Roman, Romania"), "RO Roman");
    EXPECT_EQ(placed("Storm surge floods downtown Mobile, Alabama"), "US Mobile");
    EXPECT_EQ(placed("Truck ploughs into crowd in Nice, France"), "FR Nice");
}

TEST(Gazetteer, PersonsAreNoPlaces) {
    EXPECT_EQ(placed("Paris Hilton launches new perfume line"), "nothing");
    EXPECT_EQ(placed("President Lincoln biography tops list"), "nothing");
    EXPECT_EQ(placed("Santiago Perez said he would appeal"), "nothing");
    EXPECT_EQ(placed("Michael Jordan sells stake in team"), "nothing");
    EXPECT_EQ(placed("Whitney Houston documentary breaks records"), "nothing");
}

TEST(Gazetteer, MixedCaseTextMustWriteANameWithACapital) {
    EXPECT_EQ(placed("He found a bath and some reading in a nice hotel"), "nothing");
    EXPECT_EQ(placed("Tell us about your holiday"), "nothing");
    EXPECT_EQ(placed("US jobs report beats forecasts"), "US United States");
    EXPECT_EQ(placed("U.S. jobs report beats forecasts"), "US United States");
}

TEST(Gazetteer, UpperCaseTextIsRead) {
    EXPECT_EQ(placed("EDMONTON POLICE INVESTIGATE DOWNTOWN SHOOTING"), "CA Edmonton");
    EXPECT_EQ(placed("WILDFIRE NEAR REDDING, CALIFORNIA"), "US Redding");
    EXPECT_EQ(placed("PLEASE TELL US WHAT HAPPENED LAST NIGHT"), "nothing");
}

TEST(Gazetteer, ReadsDistrictsAndTheGovernmentDomainOfALink) {
    const std::string_view link = "https://emergency.vic.gov.au/respond/1";
    EXPECT_EQ(located({"GRASS FIRE (LARA, CITY OF GREATER GEELONG)", "", "", link}),
              "AU Lara high");
    EXPECT_EQ(located({"Unknown fire (NOWHERE)", "", "", link}), "AU Victoria low");
    EXPECT_EQ(located({"Unknown fire (NOWHERE)", "", "", "https://example.com.au/1"}), "nothing");
}

TEST(Gazetteer, TheLinksCountryDecidesBetweenPlacesOfOneName) {
    EXPECT_EQ(country("Crash in Newcastle", "https://www.smh.com.au/1"), "AU");
    EXPECT_EQ(country("Crash in Newcastle", "https://www.bbc.co.uk/1"), "GB");
    EXPECT_EQ(country("Crash in Hamilton", "https://www.stuff.co.nz/1"), "NZ");
    EXPECT_EQ(country("Crash in Hamilton", "https://www.cbc.ca/1"), "CA");
    // A domain is a hint only: the text wins.
    EXPECT_EQ(country("Floods in Jakarta", "https://www.abc.net.au/1"), "ID");
    // Domains that are sold to everybody are none.
    EXPECT_EQ(placed({"Fire in Male", "", "", "https://news.mv/1"}), "MV Male");
    EXPECT_EQ(placed({"Fire in Bastia", "", "", "https://news.io/1"}), placed("Fire in Bastia"));
}

TEST(Gazetteer, ReadsTheSourceTag) {
    EXPECT_EQ(located({"Heavy rain watch", "", "country:NZ", ""}), "NZ New Zealand low");
    EXPECT_EQ(located({"Heavy rain watch", "", "country:uk", ""}), "GB United Kingdom low");
    EXPECT_EQ(located({"Two rescued from canal", "", "local:Dublin", ""}), "IE Dublin low");
    EXPECT_EQ(located({"Two rescued", "", "country:US,local:Dublin", ""}), "US Dublin low");
    EXPECT_EQ(placed({"Man charged over Darlington crash", "", "local:Perth", ""}),
              "AU Darlington");
    EXPECT_EQ(located({"Heavy rain watch", "", "country:??", ""}), "nothing");
    // A country in a source's name is a hint, and no place.
    EXPECT_EQ(located({"Heavy rain watch", "", "Times of India", ""}), "nothing");
    EXPECT_EQ(placed({"Fire in Salem", "", "Times of India", ""}), "IN Salem");
    EXPECT_EQ(placed({"Fire in Salem", "", "Oregon daily", ""}), placed("Fire in Salem"));
}

TEST(Gazetteer, MovesAwayByAStatedDistance) {
    const std::optional<Place> place =
        Gazetteer::builtin().locate({"M 4.6 - 95.5 km W of Valparaíso, Chile", "", "", ""});
    ASSERT_TRUE(place);
    EXPECT_EQ(place->confidence, Confidence::high);
    const std::optional<Place> city =
        Gazetteer::builtin().locate({"Fire in Valparaíso, Chile", "", "", ""});
    ASSERT_TRUE(city);
    EXPECT_NEAR(distance_km(place->latitude, place->longitude, city->latitude, city->longitude),
                95.5, 0.1);
    EXPECT_LT(place->longitude, city->longitude);
    EXPECT_NEAR(place->latitude, city->latitude, 0.05);
}

TEST(Gazetteer, AMoveCrossesTheDateLine) {
    const std::optional<Place> place =
        Gazetteer::builtin().locate({"M 5.0 - 200 km E of Gisborne, New Zealand", "", "", ""});
    ASSERT_TRUE(place);
    EXPECT_LT(place->longitude, -179.0);
    EXPECT_GT(place->longitude, -180.0);
}

TEST(Gazetteer, ReadsDemonymsAndCountryAliases) {
    EXPECT_EQ(in_title("Chilean navy rescues crew"), "CL Chile low");
    EXPECT_EQ(in_title("Japanese parliament dissolved"), "JP Japan low");
    for (const auto& [alias, code] :
         std::vector<std::pair<std::string, std::string>>{{"UK", "GB"},
                                                          {"USA", "US"},
                                                          {"U.S.", "US"},
                                                          {"Russia", "RU"},
                                                          {"Iran", "IR"},
                                                          {"Syria", "SY"},
                                                          {"South Korea", "KR"},
                                                          {"North Korea", "KP"},
                                                          {"DR Congo", "CD"},
                                                          {"Ivory Coast", "CI"},
                                                          {"Burma", "MM"},
                                                          {"Turkey", "TR"},
                                                          {"UAE", "AE"},
                                                          {"Kosovo", "XK"},
                                                          {"Cape Verde", "CV"},
                                                          {"Laos", "LA"},
                                                          {"Swaziland", "SZ"},
                                                          {"Russian Federation", "RU"},
                                                          {"Côte d'Ivoire", "CI"},
                                                          {"Palestine", "PS"},
                                                          {"Vatican", "VA"}}) {
        EXPECT_EQ(country("Minister resigns in " + alias), code) << alias;
    }
}

TEST(Gazetteer, ReadsNamesInOtherLanguages) {
    EXPECT_EQ(country("Erdbeben in der Türkei"), "TR");
    EXPECT_EQ(placed("Großbrand in München"), "DE Munich");
    EXPECT_EQ(country("Séisme en Algérie"), "DZ");
    EXPECT_EQ(country("Un mort à la frontière de l'Allemagne"), "DE");
    EXPECT_EQ(placed("Terremoto en Santiago de Chile"), "CL Santiago");
    EXPECT_EQ(placed("Terremoto en SANTIAGO DE CUBA"), "CU Santiago de Cuba");
}

TEST(Gazetteer, ReadsAreasOfLandAndSea) {
    EXPECT_EQ(placed("Earthquake off the coast of Mindanao"), "PH Mindanao");
    const std::optional<Place> sea =
        Gazetteer::builtin().locate({"Tanker adrift in the Gulf of Mexico", "", "", ""});
    ASSERT_TRUE(sea);
    EXPECT_EQ(sea->name, "Gulf of Mexico");
    EXPECT_LT(distance_km(sea->latitude, sea->longitude, 25, -90), 1);
}

TEST(Gazetteer, TheTitleComesBeforeTheSummary) {
    EXPECT_EQ(placed({"Explosion in Kabul", "Reported from Paris, France.", "", ""}), "AF Kabul");
    EXPECT_EQ(placed({"Explosion injures dozens", "It happened in Kabul.", "", ""}), "AF Kabul");
    EXPECT_EQ(placed({"Explosion injures dozens", "<p>It happened in <b>Kabul</b>.</p>", "", ""}),
              "AF Kabul");
}

TEST(Gazetteer, PrefersTheSuburbToTheCityThatExplainsIt) {
    EXPECT_EQ(placed("Fire in Wembley, London"), "GB Wembley");
    EXPECT_EQ(placed("Fire in Butte, Montana"), "US Butte");
}

TEST(Gazetteer, ALongTextIsCutAndOddBytesAreHarmless) {
    std::string summary(1000000, 'x');
    summary += " in Kabul";
    EXPECT_EQ(placed({"Explosion", summary, "", ""}), "nothing");
    EXPECT_EQ(placed("\xff\xfe\xc3 fire \xe2\x82 in Kabul \xf0"), "AF Kabul");
    EXPECT_EQ(placed("<<<>>> &&& &;;; - - -- ..."), "nothing");
    EXPECT_EQ(placed(std::string_view("Fire in\0Kabul", 13)), "AF Kabul");
}

TEST(Gazetteer, LocatesTheLabelledHeadlines) {
    std::ifstream file(std::string(HEADPOND_TEST_DATA_DIR) + "/headlines.tsv");
    ASSERT_TRUE(file) << HEADPOND_TEST_DATA_DIR << "/headlines.tsv cannot be read";
    int with_place = 0, country_right = 0, with_position = 0, near = 0;
    int without_place = 0, left_alone = 0;
    std::string wrong;
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || line[0] == '#') continue;
        std::vector<std::string> field;
        std::istringstream fields(line);
        for (std::string text; std::getline(fields, text, '\t');) field.push_back(text);
        field.resize(7);
        const std::optional<Place> place =
            Gazetteer::builtin().locate({field[3], field[4], field[5], field[6]});
        if (field[0] == "-") {
            ++without_place;
            if (!place) ++left_alone;
            continue;
        }
        ++with_place;
        if (place && place->country == field[0]) ++country_right;
        if (!place || place->country != field[0]) wrong += "\n" + line;
        if (field[1].empty()) continue;
        ++with_position;
        if (place && distance_km(std::stod(field[1]), std::stod(field[2]), place->latitude,
                                 place->longitude) < 100) {
            ++near;
        }
    }
    ASSERT_GE(with_place, 300);
    ASSERT_GE(with_position, 240);
    ASSERT_GE(without_place, 45);
    EXPECT_GE(country_right * 100, with_place * 97) << wrong;
    EXPECT_GE(near * 100, with_position * 95);
    EXPECT_GE(left_alone * 100, without_place * 95);
}

TEST(Gazetteer, CountryAtIsTheNearestCitysCountry) {
    const Gazetteer& gazetteer = Gazetteer::builtin();
    EXPECT_EQ(gazetteer.country_at(48.85, 2.35), "FR");
    EXPECT_EQ(gazetteer.country_at(-31.95, 115.86), "AU");
    EXPECT_EQ(gazetteer.country_at(-18.1, 178.4), "FJ");
    EXPECT_EQ(gazetteer.country_at(-18.1, 178.4 - 360), "FJ");
    EXPECT_EQ(gazetteer.country_at(42.66, 21.17), "XK");
    EXPECT_EQ(Gazetteer({std::string_view("# no places\n")}).country_at(0, 0), "");
}

TEST(Gazetteer, DistanceIsAlongTheGround) {
    EXPECT_NEAR(distance_km(0, 0, 0, 1), 111.19, 0.01);
    EXPECT_NEAR(distance_km(0, 179.5, 0, -179.5), 111.19, 0.01);
    EXPECT_NEAR(distance_km(90, 0, -90, 0), 20015.1, 0.1);
    EXPECT_DOUBLE_EQ(distance_km(12.5, 7.25, 12.5, 7.25), 0);
    EXPECT_NEAR(distance_km(48.8566, 2.3522, 51.5074, -0.1278), 343.6, 1);
}

TEST(Gazetteer, IsTheSameFromManyThreads) {
    const std::string expected = in_title("Flash floods in Valencia, Spain");
    std::vector<std::string> answers(4);
    std::vector<std::string> countries(4);
    {
        const Gazetteer fresh({small_world});
        std::vector<std::jthread> threads;
        for (std::size_t i = 0; i < answers.size(); ++i) {
            threads.emplace_back([&, i] {
                answers[i] = in_title("Flash floods in Valencia, Spain");
                countries[i] = fresh.country_at(10, 20);
            });
        }
    }
    for (const std::string& answer : answers) EXPECT_EQ(answer, expected);
    for (const std::string& code : countries) EXPECT_EQ(code, "AA");
}

TEST(SmallGazetteer, ReadsItsFormat) {
    const Gazetteer gazetteer({small_world});
    const auto name = [&](std::string_view title) {
        const std::optional<Place> place = gazetteer.locate({title, "", "", ""});
        return place ? place->country + " " + place->name : std::string("nothing");
    };
    EXPECT_EQ(name("Fire in Moresk"), "AA Moresk");
    EXPECT_EQ(name("Fire in Moresque"), "AA Moresk");
    EXPECT_EQ(name("Fire in Beland"), "BB Beland");
    EXPECT_EQ(name("Fire in Old Aland"), "AA Aland");
    EXPECT_EQ(name("The Belish king sleeps"), "BB Beland");
    EXPECT_EQ(name("Fire in Twinton"), "BB Twinton");  // the larger
    EXPECT_EQ(name("Fire in Twinton, Aland"), "AA Twinton");
    EXPECT_EQ(name("Fire in Twinton, North Shore"), "AA Twinton");
    EXPECT_EQ(name("Fire in South Shore"), "BB South Shore");
}

TEST(SmallGazetteer, LaterTextsAddToEarlierOnes) {
    const Gazetteer gazetteer(
        {small_world, "C\tBB\tNew Beland\tEssland\t\nR\tBB.02\tThe Strand\n"});
    const std::optional<Place> country = gazetteer.locate({"Fire in Essland", "", "", ""});
    ASSERT_TRUE(country);
    EXPECT_EQ(country->name, "New Beland");
    const std::optional<Place> region = gazetteer.locate({"Fire in The Strand", "", "", ""});
    ASSERT_TRUE(region);
    EXPECT_EQ(region->name, "South Shore");
    EXPECT_NEAR(region->latitude, -31.0, 1e-4);
}

TEST(SmallGazetteer, ACountryWithoutACityIsNowhere) {
    const Gazetteer gazetteer({std::string_view("C\tAA\tAland\t\t\n")});
    EXPECT_FALSE(gazetteer.locate({"Fire in Aland", "", "", ""}));
}

TEST(SmallGazetteer, NamesTheLineThatIsWrong) {
    const auto complaint = [](std::string_view text) -> std::string {
        try {
            const Gazetteer gazetteer({text});
        } catch (const std::invalid_argument& error) {
            return error.what();
        }
        return "none";
    };
    EXPECT_EQ(complaint("# a\nX\ty\n"),
              "gazetteer line 2: unknown tag 'X'; allowed: A, B, C, D, F, I, N, R, T, V, W, "
              "or none");
    EXPECT_EQ(complaint("\tMoresk\t1\t2\t3\n"), "gazetteer line 1: a city needs a region above it");
    EXPECT_EQ(complaint("D\tHarbour\n"), "gazetteer line 1: a district needs a region above it");
    EXPECT_EQ(complaint("R\tAA.01\tShore\n\tMoresk\tfar\t2\t3\n"),
              "gazetteer line 2: 'far' is no number");
    EXPECT_EQ(complaint("R\tAA\tShore\n"), "gazetteer line 1: a region's code is country.admin1");
    EXPECT_EQ(complaint("C\tAAA\tAland\n"), "gazetteer line 1: a country's code has two letters");
    EXPECT_EQ(complaint("B\tAA.01\tNS\n"), "gazetteer line 1: no region AA.01 before this line");
    EXPECT_EQ(complaint("W\tverb\trun\n").substr(0, 49),
              "gazetteer line 1: unknown kind of word 'verb'; al");
    EXPECT_EQ(complaint("A\tBig Sea\t1\n"), "gazetteer line 1: '' is no number");
    EXPECT_EQ(complaint("R\tAA.01\tShore\n\tMoresk\t91\t2\t3\n"),
              "gazetteer line 2: 91 is no latitude; allowed: -90 to 90");
}

class PlaceText : public testing::Test {
  protected:
    PlaceText() {
        folding_.add("e", "É", true);
        folding_.add("e", "é", false);
        folding_.add("u", "ü", false);
        folding_.add("ss", "ß", false);
    }

    std::string keys(std::string_view text) const {
        std::string joined;
        for (const Token& token : tokenise(text, folding_).tokens) {
            if (!joined.empty()) joined += token.separator;
            joined += token.key;
        }
        return joined;
    }

    Letters letters(std::string_view text) const { return tokenise(text, folding_).letters; }

    Folding folding_;
};

TEST_F(PlaceText, FoldsNames) {
    EXPECT_EQ(folding_.name("Évry-sur-Seine"), "evry sur seine");
    EXPECT_EQ(folding_.name("N'Djamena"), "ndjamena");
    EXPECT_EQ(folding_.name("N’Djamena"), "ndjamena");
    EXPECT_EQ(folding_.name("Saint-Étienne"), "st etienne");
    EXPECT_EQ(folding_.name("Mount St. Helens"), "mt st helens");
    EXPECT_EQ(folding_.name("U.S. Virgin Islands"), "us virgin islands");
    EXPECT_EQ(folding_.name("Trinidad & Tobago"), "trinidad and tobago");
    EXPECT_EQ(folding_.name("e\xcc\x81t\xcc\x81"), "et");  // combining accents
    EXPECT_EQ(folding_.name("Москва"), "москва");
    EXPECT_EQ(folding_.name("中国"), "中 国");
    EXPECT_EQ(folding_.name("الصّين"), "الصين");  // without the sign of the doubled letter
    EXPECT_EQ(folding_.name(" - "), "");
}

TEST_F(PlaceText, SplitsWordsAndKeepsWhatParts) {
    EXPECT_EQ(keys("Paris, Texas"), "paris,texas");
    EXPECT_EQ(keys("Fire (DARWIN) out"), "fire(darwin(out");
    EXPECT_EQ(keys("M 4.6 - 23 km"), "m 4-6(23 km");
    EXPECT_EQ(keys("It ended. Peru won"), "it ended.peru won");
    EXPECT_EQ(keys("in St. Louis"), "in st louis");
    EXPECT_EQ(keys("Port-au-Prince"), "port-au-prince");
    EXPECT_EQ(keys("U.S. forces"), "us forces");
    EXPECT_EQ(keys("<b>Fire</b>near&nbsp;Lima &amp; Ica"), "fire.near lima and ica");
    EXPECT_EQ(keys("a < b"), "a.b");
    EXPECT_EQ(keys("Japan's Japan’s"), "japan japan");
}

TEST_F(PlaceText, TellsCapitals) {
    const std::vector<Token> tokens = tokenise("Évora UK lima U.K. 7", folding_).tokens;
    ASSERT_EQ(tokens.size(), 5U);
    EXPECT_TRUE(tokens[0].capital);
    EXPECT_FALSE(tokens[0].all_capitals);
    EXPECT_TRUE(tokens[1].all_capitals);
    EXPECT_FALSE(tokens[2].capital);
    EXPECT_TRUE(tokens[3].acronym_dotted);
    EXPECT_TRUE(tokens[4].number);
    EXPECT_EQ(tokenise("l'Iran", folding_).tokens[0].elided, "iran");
    EXPECT_EQ(tokenise("d’Évora", folding_).tokens[0].elided, "evora");
    EXPECT_EQ(tokenise("l'eau", folding_).tokens[0].elided, "");
}

TEST_F(PlaceText, TellsHowATextUsesCapitals) {
    EXPECT_EQ(letters("Fire destroys market in Lima"), Letters::mixed);
    EXPECT_EQ(letters("Fire Destroys Market Hall in Lima"), Letters::title);
    EXPECT_EQ(letters("FIRE DESTROYS MARKET"), Letters::upper);
    EXPECT_EQ(letters("fire destroys market"), Letters::lower);
    EXPECT_EQ(letters(""), Letters::lower);
}

TEST_F(PlaceText, ReadsNoMoreThanItsLimit) {
    const std::string text = std::string(text_bytes_max, ' ') + "Lima";
    EXPECT_TRUE(tokenise(text, folding_).tokens.empty());
    EXPECT_EQ(tokenise(text.substr(4), folding_).tokens.size(), 1U);
}

TEST_F(PlaceText, HashesWordByWordLikeTheWholeKey) {
    EXPECT_EQ(key_hash_next_word(key_hash("los"), "angeles"), key_hash("los angeles"));
    EXPECT_NE(key_hash("losangeles"), key_hash("los angeles"));
}

}  // namespace
}  // namespace headpond::ingest
