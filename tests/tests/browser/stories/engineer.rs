//! A run of the simulator, watched in a browser: paused, stepped, a link cut by hand and healed, and its report read.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Stdio};

use serde_json::json;
use stockroom_tests::browser::{Browser, Look, Scheme};
use stockroom_tests::nodes::binary::{command, simulator};

#[test]
fn a_run_is_paused_stepped_cut_and_healed_and_its_report_read() {
    let watched = Watched::start();
    let Some(page) = Browser::open_directly(&watched.address) else { return };
    page.look(Look { width: 1440, scheme: Scheme::Light });
    page.go("/?lang=en");
    page.see("outage");
    page.see("seed 3");
    page.choose("Speed", "60×");
    page.click("Play");
    page.wait_for("it plays", CLOCK, |clock| *clock != json!("0:00:00"));
    page.click("Pause");
    page.see("Next minute");
    page.click("Next minute");
    page.click("Next event");

    let link = page.wait_for("a link that can be cut", CUT, |link| link.is_string());
    page.eval("document.querySelector('#links button[data-act=cut]').click()");
    let again = format!(
        "return document.querySelector('#links li[data-key=\"{}\"] button').dataset.act",
        link.as_str().unwrap()
    );
    page.wait_for("it is cut", &again, |act| *act == json!("heal"));
    page.see_in("#acts", "1");
    page.eval(&format!("document.querySelector('#links li[data-key=\"{}\"] button').click()", link.as_str().unwrap()));
    page.wait_for("it is healed", &again, |act| *act == json!("cut"));

    page.eval("document.getElementById('speed').value = 'most'; document.getElementById('speed').dispatchEvent(new Event('change'))");
    page.click("Play");
    page.wait_for("the run has ended", "return !document.getElementById('report').hidden", |it| *it == json!(true));
    page.click("Read the report");
    page.see_at("/report");
    page.see("outage");
    page.no_errors();
}

struct Watched {
    process: Child,
    _output: BufReader<ChildStdout>,
    address: String,
}

impl Watched {
    fn start() -> Self {
        let mut process = command(simulator())
            .args("run outage --small --seed 3 --serve".split(' '))
            .stdout(Stdio::piped())
            .spawn()
            .expect("the simulator starts");
        let mut output = BufReader::new(process.stdout.take().expect("it is a pipe"));
        let mut line = String::new();
        while !line.starts_with("live ") {
            line.clear();
            assert_ne!(output.read_line(&mut line).expect("it writes"), 0, "it ended without an address");
        }
        let address = line.split(['/', ' ']).find(|part| part.starts_with("127.0.0.1:")).expect("a URL").to_owned();
        Self { process, _output: output, address }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // One that has ended cannot be killed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const CLOCK: &str = "return document.getElementById('clock').textContent";

const CUT: &str = "const button = document.querySelector('#links button[data-act=cut]'); return button && button.closest('li').dataset.key";
