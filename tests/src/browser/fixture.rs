//! A server of pages that a test wrote itself: what the harness and its rules are tried on, planted faults first.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Serves until it is dropped.
#[derive(Debug)]
pub struct Fixture {
    address: SocketAddr,
    is_closed: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Fixture {
    /// Serves these files by their paths, which are HTML unless they end with `.js`. Everything else is not found.
    pub fn of<const N: usize>(files: [(&str, &str); N]) -> Self {
        let files: BTreeMap<_, _> = files.map(|(path, text)| (path.to_owned(), text.to_owned())).into();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let is_closed = Arc::new(AtomicBool::new(false));
        let closed = is_closed.clone();
        let thread = std::thread::spawn(move || serve(&listener, &files, &closed));
        Self { address, is_closed, thread: Some(thread) }
    }

    /// Host and port.
    pub fn address(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.is_closed.store(true, Ordering::Relaxed);
        // Wakes the thread, which waits for a connection.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            // It has nothing to say.
            let _ = thread.join();
        }
    }
}

fn serve(listener: &TcpListener, files: &BTreeMap<String, String>, closed: &AtomicBool) {
    for stream in listener.incoming().flatten() {
        if closed.load(Ordering::Relaxed) {
            return;
        }
        // A browser that hangs up is none of the fixture's business.
        let _ = answer(stream, files);
    }
}

fn answer(mut stream: TcpStream, files: &BTreeMap<String, String>) -> io::Result<()> {
    // One request after the other: a connection that a browser opens in advance must not hold up the next.
    stream.set_read_timeout(Some(Duration::from_millis(200)))?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let path = first.split(' ').nth(1).unwrap_or_default();
    let path = path.split('?').next().unwrap_or_default();
    let (status, text) = files.get(path).map_or(("404 Not Found", ""), |text| ("200 OK", text.as_str()));
    let media = if path.ends_with(".js") { "text/javascript" } else { "text/html; charset=utf-8" };
    let length = text.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {media}\r\nContent-Length: {length}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n{text}"
    )
}
