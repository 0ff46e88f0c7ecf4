// The gazetteer on the phrases of earthquake, weather, wildfire, volcano and news feeds.
#include "gazetteer/gazetteer.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace headpond::ingest {
namespace {

std::string placed(const PlaceQuery& query) {
    const std::optional<Place> place = Gazetteer::builtin().locate(query);
    return place ? place->country + " " + place->name : "nothing";
}

std::string placed(std::string_view title) {
    return placed(PlaceQuery{title, "", "", ""});
}

std::string country(std::string_view title) {
    const std::optional<Place> place = Gazetteer::builtin().locate({title, "", "", ""});
    return place ? place->country : "nothing";
}

// How far the answer lies from where it should, in km; a million if there is none.
double km_off(std::string_view title, double latitude, double longitude) {
    const std::optional<Place> place = Gazetteer::builtin().locate({title, "", "", ""});
    return place ? distance_km(place->latitude, place->longitude, latitude, longitude) : 1e6;
}

TEST(GazetteerPhrases, ACountyNeedsNoKindBeforeItsState) {
    EXPECT_EQ(placed("Flood Warning for Cayuga, NY; Tompkins, NY"), "US Cayuga County");
    EXPECT_EQ(placed({"Flood Warning", "Tompkins, NY", "", ""}), "US Tompkins County");
    EXPECT_EQ(placed("Tompkins wins the race"), "nothing");
    // A city of the name is meant where it lies in the county, or is large and stands alone.
    EXPECT_EQ(placed("Fire in Syracuse, New York"), "US Syracuse");
}

TEST(GazetteerPhrases, ReadsStatesThatAreAlsoWords) {
    EXPECT_EQ(placed({"Flood Warning", "Tippecanoe, IN", "", ""}), "US Tippecanoe County");
    EXPECT_EQ(placed("Brush fire near Bend, OR"), "US Bend");
    EXPECT_EQ(placed("Storm damage in Duluth MN"), "US Duluth");
    EXPECT_EQ(placed("Wis. dairy farmers sue over prices"), "US Wisconsin");
    EXPECT_EQ(placed("He felt ill. The doctor came"), "nothing");
}

TEST(GazetteerPhrases, AfterAnUnknownPlaceTheRegionIsTaken) {
    EXPECT_EQ(placed("M 2.1 - 12 km N of Nowhere Flats, Nevada"), "US Nevada");
    EXPECT_EQ(placed("M 2.1 - 12km N of Nowhere Flats, NV"), "US Nevada");
    EXPECT_EQ(placed("M 2.1 - 12 km N of Nowhere Flats, Washington"), "US Washington");
    EXPECT_EQ(placed("John Nowhere, MD, speaks"), "nothing");
}

TEST(GazetteerPhrases, ANamesakeInAnotherCountryIsNotTaken) {
    EXPECT_EQ(placed("M 4.4 - 18 km S of Valencia, Fiji"), "FJ Fiji");
    EXPECT_EQ(placed("M 3.4 - 18 km S of Boston, Oregon"), "US Oregon");
    EXPECT_EQ(placed("Fire in Spokane, Washington"), "US Spokane");
}

TEST(GazetteerPhrases, ReadsDistancesInSeveralLanguages) {
    EXPECT_LT(km_off("M 4 - 111km S of Tromsø, Norway", 68.65, 18.95), 5);
    EXPECT_LT(km_off("Erdbeben 111 km südlich von Linz, Österreich", 47.31, 14.29), 5);
    EXPECT_LT(km_off("Sismo a 111 km al norte de Cuenca, Ecuador", -1.9, -79), 5);
    EXPECT_LT(km_off("Quake 111 km to the south of Perth, Australia", -32.95, 115.86), 5);
    EXPECT_LT(km_off("Quake 111 km south-east of Perth, Australia", -32.65, 116.7), 5);
}

TEST(GazetteerPhrases, UnbelievableDistancesMoveNothing) {
    EXPECT_LT(km_off("M 4 - 999999 km N of Tromsø, Norway", 69.65, 18.96), 5);
    EXPECT_LT(km_off("M 4 - 99999999999999999999 km N of Tromsø, Norway", 69.65, 18.96), 5);
    EXPECT_LT(km_off("M 4 - km N of Tromsø, Norway", 69.65, 18.96), 5);
}

TEST(GazetteerPhrases, FarOffAPlaceTheNearestCountryIsTaken) {
    EXPECT_EQ(country("M 3 - 60 km E of Narva, Estonia"), "RU");
    EXPECT_EQ(country("M 3 - 5 km W of Narva, Estonia"), "EE");
}

TEST(GazetteerPhrases, ReadsPartsOfCountries) {
    EXPECT_LT(km_off("Snow cuts power in northern Finland", 65, 26), 250);
    EXPECT_LT(km_off("Heat in southern Finland", 60.6, 24), 250);
    EXPECT_LT(km_off("Floods in western Ukraine", 49.3, 24.5), 250);
    EXPECT_EQ(placed("Floods in western Ukraine"), "UA Ukraine");
}

TEST(GazetteerPhrases, ReadsBorders) {
    EXPECT_LT(km_off("Smugglers held at Thailand-Malaysia border", 6.2, 101), 200);
    EXPECT_LT(km_off("Quake on the border of Peru and Bolivia", -16.5, -69), 300);
}

TEST(GazetteerPhrases, ManyCountriesAreTheMiddleOne) {
    EXPECT_EQ(placed("Locusts in Benin, Togo, Ghana, Ivory Coast and Liberia"), "GH Ghana");
}

TEST(GazetteerPhrases, ReadsAdjectivesThatAreWrittenSmall) {
    EXPECT_EQ(country("La policía uruguaya detiene a dos hombres"), "UY");
    EXPECT_EQ(country("Le gouvernement portugais démissionne"), "PT");
    EXPECT_EQ(country("Schwere Vorwürfe gegen finnische Polizei"), "FI");
    EXPECT_EQ(country("Il parlamento svedese vota la riforma"), "SE");
    EXPECT_EQ(country("Ministro cabo-verdiano e presidente moçambicano reúnem-se"), "MZ");
    EXPECT_EQ(country("Im Norden Rumäniens brennt ein Wald"), "RO");
    EXPECT_EQ(placed("Fire in Chino, California"), "US Chino");
}

TEST(GazetteerPhrases, ReadsOtherScripts) {
    EXPECT_EQ(country("Наводнение в Румынии"), "RO");
    EXPECT_EQ(placed("Пожар в Варшаве"), "PL Warsaw");
    EXPECT_EQ(country("葡萄牙森林大火"), "PT");
    EXPECT_EQ(country("フィリピンで火山が噴火"), "PH");
    EXPECT_EQ(country("فيضانات في تونس"), "TN");
    EXPECT_EQ(country("노르웨이에서 산사태"), "NO");
    EXPECT_EQ(placed("Акции растут второй день"), "nothing");
    EXPECT_EQ(placed("株価は三日続落"), "nothing");
}

TEST(GazetteerPhrases, AVolcanoNeedsATextAboutOne) {
    EXPECT_EQ(placed("Askja volcano shows signs of unrest"), "IS Askja");
    EXPECT_EQ(placed("Pacaya (Guatemala) - Weekly report"), "GT Pacaya");
    EXPECT_EQ(placed("Erupción del volcán Concepción"), "NI Concepcion");
    EXPECT_EQ(placed("Victory parade planned"), "nothing");
    EXPECT_EQ(placed("Martin wins again"), "nothing");
}

TEST(GazetteerPhrases, ReadsSeasRidgesAndForests) {
    EXPECT_LT(km_off("M 5.1 - CARLSBERG RIDGE", 3, 66), 10);
    EXPECT_LT(km_off("M 5.1 - Laptev Sea", 76, 125), 10);
    EXPECT_LT(km_off("M 5.6 - south of the Fiji Islands", -25, 180), 100);
    EXPECT_EQ(placed("Lightning fires on the Umpqua National Forest"), "US Umpqua National Forest");
    EXPECT_EQ(placed("Bay and gulf waters warm up"), "nothing");
}

TEST(GazetteerPhrases, RoadsAndFiresOfAPlacesNameAreElsewhere) {
    EXPECT_EQ(placed("Dayton Fire"), "nothing");
    EXPECT_EQ(placed("Fire in Dayton"), "US Dayton");
    EXPECT_EQ(placed("Crews at Dayton Creek"), "nothing");
    EXPECT_EQ(placed({"Car fire, Dayton Road, Ballarat", "", "", "https://example.com.au/1"}),
              "AU Ballarat");
}

TEST(GazetteerPhrases, WhoSpeaksIsNotWhereItIs) {
    const std::string_view title = "Storm Warning issued by NWS Caribou ME";
    EXPECT_EQ(placed({title, "Piscataquis, ME", "", ""}), "US Piscataquis County");
    EXPECT_EQ(placed(title), "US Caribou");
}

TEST(GazetteerPhrases, ATitlesCountryComesBeforeAPlaceElsewhereInTheSummary) {
    EXPECT_EQ(placed({"Ceasefire holds in Yemen", "GENEVA - Negotiators met again.", "", ""}),
              "YE Yemen");
    EXPECT_EQ(placed({"Ceasefire holds", "GENEVA - Negotiators met again.", "", ""}), "CH Geneva");
}

TEST(GazetteerPhrases, ALocalSourceMeansNoSmallPlaceAbroad) {
    EXPECT_EQ(placed({"Crash near Tralee", "", "country:AU", ""}), "AU Australia");
    EXPECT_EQ(placed({"Crash near Tralee, Ireland", "", "country:AU", ""}), "IE Tralee");
    EXPECT_EQ(placed({"Floods in Jakarta", "", "country:AU", ""}), "ID Jakarta");
}

TEST(GazetteerPhrases, SeatsOfPowerStandForTheirCountry) {
    EXPECT_EQ(country("Knesset votes to dissolve itself"), "IL");
    EXPECT_EQ(country("Kremlin denies involvement"), "RU");
    EXPECT_EQ(country("Texans head to the polls"), "US");
}

TEST(GazetteerPhrases, HostileTextsEndSoon) {
    std::string names;
    std::string counties;
    for (int i = 0; i < 400; ++i) {
        names += "San Jose, ";
        counties += "Washington, TX; ";
    }
    EXPECT_NE(placed({names, counties, "", ""}), "nothing");
    EXPECT_EQ(placed(std::string(100000, 'X')), "nothing");
    EXPECT_EQ(placed("of of of N of N km of 5 of , . -"), "nothing");
    EXPECT_EQ(placed("border border between and border"), "nothing");
    EXPECT_EQ(placed("IN, OR, ME, OK, HI"), "nothing");
}

}  // namespace
}  // namespace headpond::ingest
