#!/usr/bin/env python3
"""Makes the demo's sample (products.csv, baskets.csv, lines.csv) from the Complete Journey set.

    python3 node/sample/make.py ../shared/data

Needs Python 3.9 or later, its standard library, and the `zstdcat` command. The same input gives the same bytes: there is
no chance in it. What is real, assumed or left out stands in PROVENANCE.md, whose figures are those this script prints.
`--weekdays` and `--lines-max` make other selections; write those elsewhere with `--out`, they are not what ships.
"""
import argparse
import collections
import csv
import datetime
import io
import pathlib
import re
import subprocess

# The three stores of the set with the most baskets; they become demo stores 1, 2 and 3 in this order.
STORES = {"367": 1, "361": 2, "406": 3}
WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
NAME_CHARS_MAX = 80
SAMPLE_BYTES_MAX = 700_000

# The set has no tax field. This split is made up so that the demo has two rates to choose between; it is no country's law.
FOOD_DEPARTMENTS = {
    "GROCERY", "FROZEN GROCERY", "PRODUCE", "NUTRITION", "MEAT", "MEAT-PCKGD", "DELI", "PASTRY", "SEAFOOD",
    "SEAFOOD-PCKGD", "SALAD BAR", "CHEF SHOPPE", "RESTAURANT",
}
NOT_FOOD_CATEGORIES = {
    "BEERS/ALES", "DOMESTIC WINE", "IMPORTED WINE", "MISC WINE", "LIQUOR", "PET CARE SUPPLIES", "DOG FOODS", "CAT FOOD",
    "CAT LITTER", "BIRD SEED", "HOUSEHOLD CLEANG NEEDS", "AIR CARE", "LAUNDRY DETERGENTS", "LAUNDRY ADDITIVES",
    "DISHWASH DETERGENTS", "BLEACH", "BATH TISSUES", "FACIAL TISS/DNR NAPKIN", "PAPER TOWELS", "PAPER HOUSEWARES",
    "FD WRAPS/BAGS/TRSH BG", "BOTTLE DEPOSITS", "COUPON/MISC ITEMS", "DELI SUPPLIES",
}


def main():
    args = arguments()
    baskets, overlay = read_baskets(args.data, args.weekdays)
    lines, shelf_prices, dropped = read_lines(args.data, baskets)
    if args.lines_max:
        lines = {basket: rows for basket, rows in lines.items() if len(rows) <= args.lines_max}
    dropped["baskets left with no line"] = len(baskets) - len(lines) if not args.lines_max else 0
    products = read_products(args.data, {row[0] for rows in lines.values() for row in rows}, shelf_prices)

    # Time of day first; store, day and original number only settle ties, so that the order is the same on every run.
    order = sorted(lines, key=lambda basket: baskets[basket])
    write(args.out / "products.csv", "sku,name,unit,department,tax_code,price_cents", products)
    write(args.out / "baskets.csv", "basket,store,local_time",
          [(n, baskets[basket][1], baskets[basket][0]) for n, basket in enumerate(order, 1)])
    write(args.out / "lines.csv", "basket,sku,quantity,unit_price_cents,discount_cents",
          [(n, *row) for n, basket in enumerate(order, 1) for row in lines[basket]])

    charged = sum(row[1] * row[2] - row[3] for rows in lines.values() for row in rows)
    for source, days in overlay.items():
        print(f"source store {source} -> demo store {STORES[source]}: {len(days)} panel days, {min(days)} to {max(days)}")
    for what, count in dropped.items():
        print(f"dropped, {what}: {count}")
    check(args.out, charged)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path, help="the data folder, the one that holds pos_trace/ and catalogue/")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).parent, help="default: beside this script")
    parser.add_argument("--weekdays", type=lambda text: text.split(","), default=["sat"], help="such as fri,sat (default: sat)")
    parser.add_argument("--lines-max", type=int, help="leave out baskets of more lines (default: keep all)")
    args = parser.parse_args()
    args.weekdays = {WEEKDAYS.index(day) for day in args.weekdays}
    return args


def read_baskets(data, weekdays):
    """Sort keys (time, demo store, date, number) by original basket number, and the panel days of each source store."""
    baskets, overlay = {}, {source: set() for source in STORES}
    for row in table(data / "pos_trace" / "cj_baskets.csv.zst"):
        date, time = row["local_time"].split("T")
        if row["store_id"] in STORES and datetime.date.fromisoformat(date).weekday() in weekdays:
            baskets[row["basket_id"]] = (time, STORES[row["store_id"]], date, int(row["basket_id"]))
            overlay[row["store_id"]].add(date)
    return baskets, overlay


def read_lines(data, baskets):
    """Lines (sku, quantity, unit price, discount) of the chosen baskets; shelf prices seen anywhere in the set; drops."""
    lines = collections.defaultdict(list)
    shelf_prices = collections.defaultdict(collections.Counter)
    dropped = collections.Counter()
    for row in table(data / "pos_trace" / "cj_lines.csv.zst"):
        chosen = row["basket_id"] in baskets
        quantity, sales = int(row["quantity"]), int(row["sales_cents"])
        if row["flag"] or quantity <= 0:
            dropped["lines flagged " + row["flag"] if row["flag"] else "lines of quantity 0 or less"] += chosen
            continue
        shelf = sales + int(row["retail_disc_cents"]) + int(row["coupon_match_disc_cents"])
        charged = sales - int(row["coupon_disc_cents"])
        if shelf > 0:
            shelf_prices[row["product_id"]][(2 * shelf + quantity) // (2 * quantity)] += 1
        if not chosen:
            continue
        if shelf <= 0 or charged < 0:
            dropped["lines with no shelf price" if shelf <= 0 else "lines with a coupon worth more than the line"] += 1
            continue
        unit_price = -(-shelf // quantity)
        lines[row["basket_id"]].append((row["product_id"], quantity, unit_price, unit_price * quantity - charged))
    return lines, shelf_prices, dropped


def read_products(data, wanted, shelf_prices):
    products = []
    for row in table(data / "catalogue" / "cj_products.csv.zst"):
        if row["product_id"] in wanted:
            # The most common price; of equally common ones the lowest.
            price = min(shelf_prices[row["product_id"]].items(), key=lambda entry: (-entry[1], entry[0]))[0]
            products.append((row["product_id"], name(row), "each", row["department"], tax_code(row), price))
    return sorted(products, key=lambda product: int(product[0]))


def name(row):
    what = row["product_type"] or row["product_category"] or row["department"]
    # Nearly everything is a national brand, so only the retailer's own brand is said.
    brand = "Private" if row["brand"] == "Private" else ""
    words = " ".join(f"{brand} {what} {row['package_size']}".split()).lower()
    return re.sub(r"(^|[^a-z0-9'])([a-z])", lambda match: match[1] + match[2].upper(), words)[:NAME_CHARS_MAX].rstrip()


def tax_code(row):
    food = row["department"] in FOOD_DEPARTMENTS and row["product_category"] not in NOT_FOOD_CATEGORIES
    return "food" if food else "general"


def table(path):
    with subprocess.Popen(["zstdcat", path], stdout=subprocess.PIPE) as process:
        yield from csv.DictReader(io.TextIOWrapper(process.stdout, encoding="utf-8", newline=""))
    if process.returncode:
        raise SystemExit(f"zstdcat could not read {path}")


def write(path, header, rows):
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header.split(","))
        writer.writerows(rows)


def check(out, charged_expected):
    """Reads the files back and holds them to what PROVENANCE.md promises."""
    products, baskets, lines = (read_back(out / f"{part}.csv") for part in ("products", "baskets", "lines"))
    skus = {row["sku"] for row in products}
    assert len(skus) == len(products) and skus == {row["sku"] for row in lines}
    assert all(0 < len(row["name"]) <= NAME_CHARS_MAX and int(row["price_cents"]) > 0 for row in products)
    assert [int(row["basket"]) for row in baskets] == list(range(1, len(baskets) + 1))
    assert {row["basket"] for row in lines} == {row["basket"] for row in baskets}
    times = [row["local_time"] for row in baskets]
    assert times == sorted(times) and all(re.fullmatch(r"[0-2]\d:[0-5]\d:[0-5]\d", time) for time in times)

    store_of = {row["basket"]: row["store"] for row in baskets}
    count, units, charged, discount = (collections.Counter() for _ in range(4))
    for row in lines:
        quantity, unit_price, off = (int(row[key]) for key in ("quantity", "unit_price_cents", "discount_cents"))
        assert quantity > 0 and unit_price > 0 and 0 <= off <= unit_price * quantity
        store = store_of[row["basket"]]
        count[store] += 1
        units[store] += quantity
        charged[store] += unit_price * quantity - off
        discount[store] += off
    assert sum(charged.values()) == charged_expected

    for store in sorted(count):
        mine = [row["local_time"] for row in baskets if row["store"] == store]
        hour, peak = collections.Counter(time[:2] for time in mine).most_common(1)[0]
        print(f"store {store}: {len(mine)} baskets {mine[0]} to {mine[-1]}, peak {peak} in hour {hour}, {count[store]} lines, "
              f"{units[store]} units, charged {charged[store]} cents, discount {discount[store]} cents")
    print(f"all: {len(products)} products, {len(baskets)} baskets, {len(lines)} lines, charged {charged_expected} cents")
    sizes = {part: (out / f"{part}.csv").stat().st_size for part in ("products", "baskets", "lines")}
    print(f"bytes: {sizes}, {sum(sizes.values())} in all")
    if sum(sizes.values()) > SAMPLE_BYTES_MAX:
        print(f"too large to ship: more than {SAMPLE_BYTES_MAX} bytes")


def read_back(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()
