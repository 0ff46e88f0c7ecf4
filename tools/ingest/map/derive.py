#!/usr/bin/env python3
"""Derives land.json, the map page's coast lines and borders, from Natural Earth's 1:110m data.

    npm pack world-atlas@2.0.2 && tar -xf world-atlas-2.0.2.tgz
    ./derive.py package > land.json

Standard library only. The same inputs give the same file byte for byte; their SHA-256 sums are
checked. Licences of the sources: ATTRIBUTION.md beside this script.

The output is one line of JSON, {"land": [ring...], "borders": [line...]}: each a list of whole
numbers in tenths of a degree, longitude and latitude in turn, the first pair absolute, each later
one the difference to the one before. Whoever draws a ring closes it, and clips at 180 degrees: a
ring that crosses that line is there twice, once on each side.
"""
import hashlib
import json
import pathlib
import sys

EXPECTED_SHA256 = {
    'land-110m.json': 'ead5f68119c49a9250902e7da303bcb209341bbb8fefe7369a439b48b704658a',
    'countries-110m.json': '2516c915867c7baf18ddec727aec46c315541a07cfb3d79a6559b05d5e94eee8',
}
UNITS = 10  # a degree
TOLERANCE = 0.12  # degrees that a simplified line may be off


def arcs_of(topology):
    scale, shift = topology["transform"]["scale"], topology["transform"]["translate"]
    arcs = []
    for arc in topology["arcs"]:
        x = y = 0
        points = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            points.append((x * scale[0] + shift[0], y * scale[1] + shift[1]))
        arcs.append(points)
    return arcs


def joined(arcs, indices):
    points = []
    for index in indices:
        arc = arcs[index] if index >= 0 else arcs[~index][::-1]
        points += arc[1:] if points else arc
    return points


def polygons_of(geometry):
    kind = geometry["type"]
    if kind == "GeometryCollection":
        return [p for part in geometry["geometries"] for p in polygons_of(part)]
    if kind == "Polygon":
        return [geometry["arcs"]]
    return geometry["arcs"] if kind == "MultiPolygon" else []


def simplified(points):
    """Douglas and Peucker."""
    if len(points) < 3:
        return points
    (ax, ay), (bx, by) = points[0], points[-1]
    length = ((bx - ax) ** 2 + (by - ay) ** 2) ** 0.5

    def off(point):
        x, y = point
        if length == 0:
            return ((x - ax) ** 2 + (y - ay) ** 2) ** 0.5
        return abs((bx - ax) * (ay - y) - (ax - x) * (by - ay)) / length

    far = max(range(1, len(points) - 1), key=lambda i: off(points[i]))
    if off(points[far]) <= TOLERANCE:
        return [points[0], points[-1]]
    return simplified(points[:far + 1])[:-1] + simplified(points[far:])


def deltas(points):
    flat, before = [], (0, 0)
    for x, y in points:
        here = (round(x * UNITS), round(y * UNITS))
        if flat and here == before:
            continue
        flat += [here[0] - before[0], here[1] - before[1]]
        before = here
    return flat


def unwrapped(points):
    """Without the jump at 180 degrees. A ring around a pole is led over that pole."""
    turn, path = 0, [points[0]]
    for (before, _), (x, y) in zip(points, points[1:]):
        turn += -360 if x - before > 180 else 360 if before - x > 180 else 0
        path.append((x + turn, y))
    if turn:
        pole = 90 if sum(y for _, y in path) > 0 else -90
        path += [(path[-1][0], pole), (path[0][0], pole)]
    return path


def land(topology):
    arcs = arcs_of(topology)
    rings = []
    for polygon in polygons_of(topology["objects"]["land"]):
        for ring in polygon:
            points = simplified(unwrapped(joined(arcs, ring)))
            xs = [x for x, _ in points]
            shifts = [0] + [-360] * (max(xs) > 180.5) + [360] * (min(xs) < -180.5)
            flats = [deltas([(x + shift, y) for x, y in points]) for shift in shifts]
            rings += [flat for flat in flats if len(flat) >= 6]
    return rings


def borders(topology):
    """The arcs that two countries share."""
    owners = {}
    for number, country in enumerate(topology["objects"]["countries"]["geometries"]):
        for polygon in polygons_of(country):
            for ring in polygon:
                for index in ring:
                    owners.setdefault(index if index >= 0 else ~index, set()).add(number)
    arcs = arcs_of(topology)
    shared = (i for i in sorted(owners) if len(owners[i]) > 1)
    return [flat for flat in (deltas(simplified(arcs[i])) for i in shared) if len(flat) >= 4]


def main():
    folder = pathlib.Path(sys.argv[1])

    def read(name):
        data = (folder / name).read_bytes()
        found = hashlib.sha256(data).hexdigest()
        if found != EXPECTED_SHA256[name]:
            sys.exit(f"derive.py: {name} has sha256 {found}; allowed: {EXPECTED_SHA256[name]}")
        return json.loads(data)

    outline = {"land": land(read("land-110m.json")),
               "borders": borders(read("countries-110m.json"))}
    print(json.dumps(outline, separators=(",", ":")))


main()
