//! The house rules that a program can check: file heads and lengths, names, dependencies, purity, and where each big
//! library may be named.
//!
//! Each rule is a function from a file's text to complaints, and is first tried on a planted breach: a rule that cannot
//! fail is not a rule.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Direct dependencies of each crate that must stay small or point down only. An entry that the crate no longer uses must go.
const DEPENDENCIES: &[(&str, &[&str])] = &[
    ("crdt", &["automerge", "ring", "thiserror"]),
    (
        "node/core",
        &[
            "chacha20poly1305",
            "h3o",
            "hpke",
            "rand_chacha",
            "rand_core",
            "redb",
            "stockroom-crdt",
            "thiserror",
            "tracing",
        ],
    ),
    (
        "sim",
        &[
            "clap",
            "csv",
            "httparse",
            "indicatif",
            "maud",
            "plotters",
            "rand_chacha",
            "rand_core",
            "serde",
            "serde_json",
            "stockroom-core",
            "stockroom-crdt",
            "zstd",
        ],
    ),
];

/// Which of our own crates each crate may use: dependencies point down.
const LAYERS: &[(&str, &[&str])] = &[
    ("crdt", &[]),
    ("transport", &[]),
    ("node/core", &["stockroom-crdt"]),
    ("sim", &["stockroom-core", "stockroom-crdt"]),
    ("node", &["stockroom-core", "stockroom-crdt", "stockroom-transport"]),
    ("tests", &["stockroom", "stockroom-core", "stockroom-crdt", "stockroom-sim", "stockroom-transport"]),
];

/// Pure crates: no clock, socket, thread or chance of their own.
const PURE: &[&str] = &["crdt", "node/core", "sim"];

/// What a pure crate must not reach even through others.
const IMPURE: &[&str] = &["tokio", "mio", "socket2", "async-io", "smol", "quinn", "hyper", "axum", "ureq", "rustls"];

/// Where a library may be named in code: paths that begin like one of these.
const NAMED_ONLY_IN: &[(&str, &[&str])] = &[
    ("argon2", &["node/src/staff/pin.rs"]),
    ("automerge", &["crdt/src/note", "tests/"]),
    ("redb", &["node/core/src/storage", "tests/"]),
    ("h3o", &["node/core/src/policy/route/place.rs"]),
    ("chacha20poly1305", &["node/core/src/sealed.rs"]),
    ("hpke", &["node/core/src/sealed.rs"]),
    (
        "ring",
        &[
            "crdt/src/ids.rs",
            "crdt/src/capability.rs",
            "crdt/src/loyalty/campaign.rs",
            "crdt/src/order/offer.rs",
            "transport/src/",
            "node/src/",
        ],
    ),
    ("quinn", &["transport/"]),
    ("rcgen", &["transport/"]),
    ("x509_parser", &["transport/"]),
    ("pem", &["transport/"]),
    ("mdns_sd", &["transport/"]),
    ("if_addrs", &["transport/"]),
    ("image", &["node/src/setup/photo.rs"]),
    ("rqrr", &["node/src/setup/photo.rs"]),
    (
        "rustls",
        &[
            "transport/",
            "node/src/api",
            "node/src/courier",
            "node/src/terminal/settings.rs",
            "node/src/webhooks/post.rs",
            "tests/tests/process/lan.rs",
            "tests/tests/pilot/phone.rs",
        ],
    ),
    ("axum", &["node/src/api", "tests/src/courier_server"]),
    ("axum_server", &["node/src/api"]),
    ("utoipa", &["node/src/api"]),
    ("tokio", &["transport/", "node/src/", "tests/"]),
    ("clap", &["node/src/", "sim/src/cli", "tests/src/"]),
    ("indicatif", &["node/src/demo", "sim/src/cli"]),
    ("serde_json", &["node/src/", "sim/src/cli", "sim/tests/cli.rs", "sim/tests/live.rs", "tests/"]),
    ("csv", &["node/src/", "sim/src/data/rows.rs", "tests/"]),
    ("rustix", &["node/src/", "tests/tests/pilot"]),
    ("getrandom", &["node/src/", "transport/"]),
    ("proptest", &["tests/"]),
    ("fantoccini", &["tests/"]),
    ("plotters", &["sim/src/report/picture.rs"]),
    ("httparse", &["sim/src/cli/live/http.rs"]),
    (
        "maud",
        &[
            "sim/src/report",
            "sim/src/cli/live/page.rs",
            "node/src/api/riders",
            "node/src/api/pages",
            "node/src/paper",
            "node/src/setup/page.rs",
        ],
    ),
    ("escpos", &["node/src/paper"]),
    ("flate2", &["node/src/api/pages/assets.rs"]),
    ("encoding_rs", &["node/src/paper"]),
    ("fast_qr", &["node/src/paper", "node/src/setup/photo.rs"]),
    ("sd_notify", &["node/src/daemon/notify.rs"]),
    ("zstd", &["sim/src/data/rows.rs", "sim/tests/data.rs"]),
];

const LINES_MAX: usize = 600;

/// Names that say nothing about what is inside.
const NAMELESS: &[&str] = &["util", "utils", "common", "helper", "helpers", "misc", "types", "manager", "managers"];

#[test]
fn every_source_file_says_first_what_it_knows() {
    assert_eq!(head("x.rs", "use std::fmt;\n").len(), 1);
    assert!(head("x.rs", "//! Clocks.\n").is_empty());
    clean(sources().flat_map(|(path, text)| head(path, text)));
}

#[test]
fn no_source_file_is_too_long() {
    assert_eq!(length("x.rs", &"\n".repeat(LINES_MAX + 1)).len(), 1);
    assert!(length("x.rs", &"\n".repeat(LINES_MAX)).is_empty());
    clean(sources().flat_map(|(path, text)| length(path, text)));
}

#[test]
fn modules_have_names_that_say_something() {
    assert_eq!(name("node/src/util.rs").len(), 1);
    assert_eq!(name("node/src/helpers/mod.rs").len(), 1);
    assert_eq!(inline_modules("x.rs", "pub mod common {\n").len(), 1);
    assert!(name("node/src/till.rs").is_empty());
    clean(sources().flat_map(|(path, text)| [name(path), inline_modules(path, text)].concat()));
}

#[test]
fn nothing_is_left_for_later() {
    for planted in
        [concat!("to", "do!()"), concat!("// FIX", "ME"), concat!("#[ig", "nore]"), concat!("unimpl", "emented!()")]
    {
        assert_eq!(unfinished("x.rs", planted).len(), 1, "{planted}");
    }
    clean(sources().flat_map(|(path, text)| unfinished(path, text)));
}

#[test]
fn tests_wait_for_a_state_and_never_nap() {
    let nap = concat!("    tokio::time::sle", "ep(second).await;\n");
    let unit_tests = format!("fn f() {{}}\n#[cfg(test)]\nmod tests {{\n{nap}}}\n");
    assert_eq!(naps("tests/tests/wire.rs", nap).len(), 1);
    assert_eq!(naps("transport/tests/link.rs", nap).len(), 1);
    assert_eq!(naps("node/src/clock.rs", &unit_tests).len(), 1);
    assert!(naps("node/src/clock.rs", nap).is_empty());
    assert!(naps("tests/tests/wire.rs", concat!("interrupt.sle", "ep(minute)")).is_empty());
    clean(sources().flat_map(|(path, text)| naps(path, text)));
}

#[test]
fn no_file_names_a_folder_of_one_machine() {
    for folder in MACHINE_FOLDERS {
        assert_eq!(machine_paths("x.md", &format!("see `{folder}/notes`")).len(), 1, "{folder}");
        assert_eq!(machine_paths("x.md", &format!("cd {folder}")).len(), 1, "{folder}");
        assert!(machine_paths("x.md", &format!("the path shop{folder}/a and ..{folder}")).is_empty(), "{folder}");
    }
    clean(files().iter().flat_map(|(path, text)| machine_paths(path, text)));
}

#[test]
fn each_big_library_is_named_in_one_place() {
    assert!(names("use redb::Database;", "redb"));
    assert!(names("    let t: redb::Table<u8, u8>;", "redb"));
    assert!(names("extern crate redb;", "redb"));
    assert!(names("use redb as store;", "redb"));
    assert!(!names("/// Kept in redb::Database.", "redb"));
    assert!(!names("use myredb::X; redbird::fly()", "redb"));
    let table = |text: &str| places("node/src/basket.rs", text);
    assert_eq!(table("use redb::Database;").len(), 1);
    assert_eq!(table(concat!("use automerge::AutoCommit;\nuse qui", "nn::Endpoint;")).len(), 2);
    let manifest = text_of("Cargo.toml");
    for (library, _) in NAMED_ONLY_IN {
        let known = dependencies(&manifest).iter().any(|dependency| dependency.replace('-', "_") == *library);
        assert!(known, "{library} is not in the workspace's table any more: take it out of this one");
    }
    clean(sources().flat_map(|(path, text)| places(path, text)));
}

#[test]
fn pure_crates_have_the_dependencies_that_they_are_allowed() {
    let planted = "[dependencies]\nring.workspace = true\ntokio = \"1\"\n[dev-dependencies.rand]\nversion = \"1\"\n";
    assert_eq!(dependencies(planted), BTreeSet::from(["ring", "tokio", "rand"].map(str::to_owned)));
    let mut complaints = Vec::new();
    for (folder, allowed) in DEPENDENCIES {
        let used = dependencies(&text_of(&format!("{folder}/Cargo.toml")));
        let allowed: BTreeSet<_> = allowed.iter().map(|&name| name.to_owned()).collect();
        complaints.extend(used.difference(&allowed).map(|name| format!("{folder} uses {name}, which is not allowed")));
        complaints.extend(allowed.difference(&used).map(|name| format!("{folder} no longer uses {name}: forbid it")));
    }
    clean(complaints);
}

#[test]
fn dependencies_point_down() {
    let mut complaints = Vec::new();
    for (folder, below) in LAYERS {
        let used = dependencies(&text_of(&format!("{folder}/Cargo.toml")));
        let own = used.iter().filter(|name| *name == "stockroom" || name.starts_with("stockroom-"));
        complaints.extend(
            own.filter(|name| !below.contains(&name.as_str())).map(|name| format!("{folder} must not use {name}")),
        );
    }
    let members = text_of("Cargo.toml");
    let members = members.lines().find(|line| line.starts_with("members")).expect("the workspace names its members");
    let listed = members.split('"').skip(1).step_by(2);
    complaints.extend(
        listed.filter(|member| LAYERS.iter().all(|(folder, _)| folder != member)).map(|m| format!("{m} has no layer")),
    );
    clean(complaints);
}

#[test]
fn pure_crates_reach_no_runtime_and_no_socket() {
    let graph = lock_graph(&text_of("Cargo.lock"));
    assert!(reachable(&graph, "stockroom-transport").contains("tokio"), "the walk finds what is there");
    let mut complaints = Vec::new();
    for folder in PURE {
        let manifest = text_of(&format!("{folder}/Cargo.toml"));
        let package = manifest.lines().find_map(|line| line.strip_prefix("name = ")).expect("a package has a name");
        let reached = reachable(&graph, package.trim_matches('"'));
        assert!(reached.len() > 1, "{package} is in the lock file");
        complaints
            .extend(IMPURE.iter().filter(|name| reached.contains(**name)).map(|n| format!("{folder} reaches {n}")));
    }
    clean(complaints);
}

#[test]
fn pure_crates_are_held_to_it_by_the_linter() {
    let settings = text_of(".clippy.toml");
    let settings = settings.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let first = text_of("crdt/.clippy.toml");
    for folder in PURE {
        let own = text_of(&format!("{folder}/.clippy.toml"));
        assert!(own == first, "{folder} has another .clippy.toml than crdt");
        for line in settings.clone() {
            assert!(own.lines().any(|own| own == line), "{folder}/.clippy.toml lacks the workspace's `{line}`");
        }
        let root = text_of(&format!("{folder}/Cargo.toml"));
        assert!(root.contains("[lints]\nworkspace = true"), "{folder} does not take the workspace's lints");
    }
    let all_on = text_of("Cargo.toml").lines().any(|line| line.starts_with("all = { level = \"warn\""));
    assert!(all_on, "clippy's disallowed lists are part of `all`");
}

fn head(path: &str, text: &str) -> Vec<String> {
    if text.starts_with("//! ") { vec![] } else { vec![format!("{path}: does not begin with //!")] }
}

fn length(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    if lines > LINES_MAX { vec![format!("{path}: {lines} lines, at most {LINES_MAX}")] } else { vec![] }
}

fn name(path: &str) -> Vec<String> {
    let path = Path::new(path);
    let words = path.with_extension("");
    let mut words = words.components().filter_map(|part| part.as_os_str().to_str());
    words
        .find(|word| NAMELESS.contains(word))
        .map(|word| format!("{}: {word} says nothing", path.display()))
        .into_iter()
        .collect()
}

fn inline_modules(path: &str, text: &str) -> Vec<String> {
    let module = |line: &str| line.trim_start().trim_start_matches("pub ").strip_prefix("mod ").map(str::to_owned);
    let word = |rest: String| rest.split([' ', ';', '{']).next().map(str::to_owned);
    text.lines()
        .filter_map(module)
        .filter_map(word)
        .filter(|word| NAMELESS.contains(&word.as_str()))
        .map(|word| format!("{path}: module {word} says nothing"))
        .collect()
}

fn unfinished(path: &str, text: &str) -> Vec<String> {
    let words = [concat!("to", "do!("), concat!("FIX", "ME"), concat!("#[ig", "nore"), concat!("unimpl", "emented!(")];
    found(path, text.lines().enumerate(), |line| words.into_iter().find(|word| line.contains(word)))
}

fn naps(path: &str, text: &str) -> Vec<String> {
    let is_test = path.starts_with("tests/tests/") || path.starts_with("sim/") || path.contains("/tests/");
    let unit_tests = text.split_once("#[cfg(test)]\nmod ").map(|(before, _)| before.lines().count());
    let from = if is_test { 0 } else { unit_tests.unwrap_or(usize::MAX) };
    // A method of that name on a type of ours may well return at once, and be tested for it.
    let word = concat!("sle", "ep(");
    let own = |c: char| c == '.' || c == '_' || c.is_alphanumeric();
    let naps = |line: &str| line.match_indices(word).any(|(at, _)| !line[..at].ends_with(own));
    found(path, text.lines().enumerate().skip(from), |line| naps(line).then_some("waits for a time"))
}

fn machine_paths(path: &str, text: &str) -> Vec<String> {
    let inside_a_word = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | '}' | '>' | '*');
    found(path, text.lines().enumerate(), |line| {
        MACHINE_FOLDERS.into_iter().find(|folder| {
            line.match_indices(folder).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                let after = line[at + folder.len()..].chars().next();
                !before.is_some_and(inside_a_word)
                    && !after.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '-')
            })
        })
    })
}

fn places(path: &str, text: &str) -> Vec<String> {
    let elsewhere = |(_, allowed): &&(&str, &[&str])| !allowed.iter().any(|place| path.starts_with(place));
    let named = |(library, allowed): &(&str, &[&str])| {
        let line = text.lines().position(|line| names(line, library))?;
        Some(format!("{path}:{}: {library} may be named only in {}", line + 1, allowed.join(", ")))
    };
    NAMED_ONLY_IN.iter().filter(elsewhere).filter_map(named).collect()
}

/// True when a line of code names a crate.
fn names(line: &str, library: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    !line.trim_start().starts_with("//")
        && line.match_indices(library).any(|(at, _)| {
            let (before, after) = (&line[..at], &line[at + library.len()..]);
            let whole = !before.ends_with(is_word) && !after.starts_with(is_word) && !before.ends_with("::");
            let imported = before.ends_with("use ") || before.ends_with("extern crate ");
            whole && (after.starts_with("::") || imported)
        })
}

fn found<'a>(
    path: &str,
    lines: impl Iterator<Item = (usize, &'a str)>,
    rule: impl Fn(&str) -> Option<&'static str>,
) -> Vec<String> {
    lines.filter_map(|(number, line)| rule(line).map(|word| format!("{path}:{}: {word}", number + 1))).collect()
}

/// Names of all dependencies of a manifest, of whatever sort.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut inside = false;
    let mut names = BTreeSet::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(table) = line.strip_prefix('[') {
            let table = table.trim_matches(['[', ']']);
            inside = table.ends_with("dependencies");
            if let Some((_, name)) = table.split_once("dependencies.") {
                names.insert(name.to_owned());
            }
        } else if inside && !line.is_empty() && !line.starts_with('#') {
            names.extend(line.split([' ', '.', '=']).next().map(str::to_owned));
        }
    }
    names
}

/// From each package to those that it depends on.
fn lock_graph(lock: &str) -> BTreeMap<String, BTreeSet<String>> {
    let package = |block: &str| {
        let name = block.lines().find_map(|line| line.strip_prefix("name = "))?.trim_matches('"').to_owned();
        let below = block.split_once("dependencies = [").map_or("", |(_, list)| list);
        let below = below.lines().filter_map(|line| line.trim().strip_prefix('"')?.split(['"', ' ']).next());
        Some((name, below.map(str::to_owned).collect::<BTreeSet<_>>()))
    };
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, below) in lock.split("[[package]]").filter_map(package) {
        graph.entry(name).or_default().extend(below);
    }
    graph
}

fn reachable<'a>(graph: &'a BTreeMap<String, BTreeSet<String>>, from: &'a str) -> BTreeSet<&'a str> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(name) = open.pop() {
        if reached.insert(name) {
            open.extend(graph.get(name).into_iter().flatten().map(String::as_str));
        }
    }
    reached
}

fn clean(complaints: impl IntoIterator<Item = String>) {
    let complaints: Vec<_> = complaints.into_iter().collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

fn sources() -> impl Iterator<Item = (&'static str, &'static str)> {
    files().iter().filter(|(path, _)| path.ends_with(".rs")).map(|(path, text)| (path.as_str(), text.as_str()))
}

fn text_of(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every text file of the project, by its path from the root.
fn files() -> &'static BTreeMap<String, String> {
    static FILES: std::sync::OnceLock<BTreeMap<String, String>> = std::sync::OnceLock::new();
    FILES.get_or_init(|| {
        let paths = listed_by_git().unwrap_or_else(|| {
            let mut paths = Vec::new();
            walk(&root(), &mut paths);
            paths
        });
        let text = |path: String| Some((path.clone(), std::fs::read_to_string(root().join(path)).ok()?));
        let files: BTreeMap<_, _> = paths.into_iter().filter_map(text).collect();
        assert!(
            files.contains_key("tests/tests/tidy.rs") && files.contains_key("crdt/src/lib.rs"),
            "the walk is empty"
        );
        files
    })
}

/// What git tracks, and what it would track next; nothing outside a checkout.
fn listed_by_git() -> Option<Vec<String>> {
    if !root().join(".git").exists() {
        return None;
    }
    let arguments = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
    let output = Command::new("git").args(arguments).current_dir(root()).output().ok()?;
    let list = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| list.split_terminator('\0').map(str::to_owned).collect())
}

fn walk(folder: &Path, paths: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with(".git") && !path.ends_with("target") {
            walk(&path, paths);
        } else if let Some(path) = path.strip_prefix(root()).ok().and_then(Path::to_str) {
            paths.push(path.to_owned());
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the workspace is above its tests")
}

const MACHINE_FOLDERS: [&str; 4] =
    [concat!("/wo", "rk"), concat!("/ro", "ot"), concat!("/t", "mp"), concat!("/ho", "me")];

#[test]
fn the_walk_without_git_finds_the_same_sources() {
    let Some(listed) = listed_by_git() else { return };
    let mut walked = Vec::new();
    walk(&root(), &mut walked);
    let walked: BTreeSet<_> = walked.into_iter().filter(|path| path.ends_with(".rs")).collect();
    let listed: BTreeSet<_> = listed.into_iter().filter(|p| p.ends_with(".rs") && root().join(p).exists()).collect();
    assert_eq!(walked, listed);
}
