//! Pictures of all pages in both languages, narrow and wide, light and dark: `screenshots DIR`, with `--only till` for some.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use stockroom_tests::browser::pages::{LANGUAGES, PAGES, WIDTHS};
use stockroom_tests::browser::worlds::World;
use stockroom_tests::browser::{Look, Scheme};

/// Takes pictures of pages, of a hub and two stores with goods, people and orders.
#[derive(Parser)]
struct Arguments {
    /// Where they go, as PAGE-LANGUAGE-WIDTH[-dark].png.
    folder: PathBuf,
    /// Only pages with this in their names.
    #[arg(long, default_value = "")]
    only: String,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Err(error) = std::fs::create_dir_all(&arguments.folder) {
        eprintln!("{}: {error}", arguments.folder.display());
        return ExitCode::FAILURE;
    }
    let (started, world) = (Instant::now(), World::chain());
    println!("a hub and two stores are ready after {:.1} s", started.elapsed().as_secs_f32());
    let (mut pictures, mut bytes) = (0, 0);
    for page in PAGES.iter().filter(|page| page.name.contains(&arguments.only)) {
        let Some(browser) = page.browser(&world) else { return ExitCode::FAILURE };
        // Pictures are also taken of what is wrong: complaints are told, and are for the tests to fail on.
        browser.allow("");
        page.enter(&browser);
        for language in LANGUAGES {
            for (width, scheme) in WIDTHS
                .map(|width| (width, Scheme::Light))
                .into_iter()
                .chain([(360, Scheme::Dark), (1440, Scheme::Dark)])
            {
                browser.look(Look { width, scheme });
                browser.go(&page.path_in_language(&world, language));
                let dark = if scheme == Scheme::Dark { "-dark" } else { "" };
                let file = arguments.folder.join(format!("{}-{language}-{width}{dark}.png", page.name));
                let picture = browser.picture();
                (pictures, bytes) = (pictures + 1, bytes + picture.len());
                if let Err(error) = std::fs::write(&file, &picture) {
                    eprintln!("{}: {error}", file.display());
                    return ExitCode::FAILURE;
                }
                println!("{} ({} kB)", file.display(), picture.len() / 1_000);
            }
        }
    }
    println!("{pictures} pictures, {} kB, {:.1} s", bytes / 1_000, started.elapsed().as_secs_f32());
    if pictures > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
