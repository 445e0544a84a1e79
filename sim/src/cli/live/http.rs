//! HTTP for one person at the same machine: few connections, short requests, one answer each, and streams of events.
//!
//! Only this file knows the wire. Whoever does not speak to a loopback name is refused, so that no page of another site can
//! reach the view by a name that it made point here; and whoever writes must be a page of ours.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What was asked.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// A write, with its body; a read otherwise.
    pub body: Option<Vec<u8>>,
    /// The path, without what stands behind a question mark.
    pub path: String,
    /// What stands behind it.
    pub query: String,
    /// What the browser would like to read.
    pub languages: String,
}

/// Writes a stream of events until it ends, or until nobody reads it any more.
type Told<'a> = Box<dyn FnOnce(&mut dyn Write) -> io::Result<()> + 'a>;

/// What is answered.
pub enum Reply<'a> {
    /// A whole body: status, what it is, bytes.
    Whole(u16, &'static str, Vec<u8>),
    /// Events, written one after another until somebody leaves.
    Events(Told<'a>),
}

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is no HTTP that is spoken here.
    Malformed,
    /// It is longer than anything that is asked here.
    TooLong,
    /// It names another host, or comes from another site.
    Foreign,
    /// Neither a read nor a write.
    Method,
    /// It did not come in time, or the connection is gone.
    Gone,
}

/// Answers until `closing`. Connections are threads of this scope, so all of them end before this does.
pub fn serve<'a>(
    listener: &TcpListener,
    closing: &(dyn Fn() -> bool + Sync),
    answer: &(dyn Fn(&Request) -> Reply<'a> + Sync),
) {
    let open = AtomicUsize::new(0);
    let Ok(address) = listener.local_addr() else { return };
    thread::scope(|scope| {
        for stream in listener.incoming() {
            if closing() {
                return;
            }
            let Ok(stream) = stream else { continue };
            if open.fetch_add(1, Ordering::SeqCst) >= CONNECTIONS_MAX {
                // Whoever is one too many is not even told: an answer would need the thread that there is none for.
                open.fetch_sub(1, Ordering::SeqCst);
                continue;
            }
            let open = &open;
            scope.spawn(move || {
                // A browser that went away is not our trouble.
                let _ = converse(stream, address, answer);
                open.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
}

/// Makes [`serve`] look whether it is to close.
pub fn wake(address: SocketAddr) {
    drop(TcpStream::connect_timeout(&address, PATIENCE));
}

fn converse<'a>(
    mut stream: TcpStream,
    address: SocketAddr,
    answer: &(dyn Fn(&Request) -> Reply<'a> + Sync),
) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let request = match read(&mut stream, address) {
        Ok(request) => request,
        Err(refused) => {
            if let Some((status, words)) = refused.says() {
                whole(&mut stream, status, TEXT, words.as_bytes())?;
            }
            // What is still on its way would turn the answer into a reset.
            stream.shutdown(std::net::Shutdown::Write)?;
            let _ = stream.read(&mut [0; 1_024]);
            return Ok(());
        }
    };
    match answer(&request) {
        Reply::Whole(status, kind, body) => whole(&mut stream, status, kind, &body),
        Reply::Events(write) => {
            stream.write_all(head(200, "text/event-stream", None).as_bytes())?;
            write(&mut stream)
        }
    }
}

fn whole(stream: &mut TcpStream, status: u16, kind: &str, body: &[u8]) -> io::Result<()> {
    stream.write_all(head(status, kind, Some(body.len())).as_bytes())?;
    stream.write_all(body)?;
    stream.flush()
}

fn head(status: u16, kind: &str, length: Option<usize>) -> String {
    let reason = match status {
        200 => "OK",
        204 => "No Content",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        413 => "Content Too Large",
        _ => "Service Unavailable",
    };
    let length = length.map(|length| format!("Content-Length: {length}\r\n")).unwrap_or_default();
    format!("HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\n{length}{SAFETY}\r\n")
}

fn read(stream: &mut TcpStream, address: SocketAddr) -> Result<Request, Refused> {
    let until = Instant::now() + PATIENCE;
    let mut bytes = Vec::new();
    loop {
        let length = match parse(&bytes, address)? {
            Some((request, body_from, length)) if bytes.len() >= body_from + length => {
                let body = bytes[body_from..body_from + length].to_vec();
                return Ok(Request { body: request.body.map(|_| body), ..request });
            }
            Some((_, body_from, length)) => body_from + length,
            None => HEAD_BYTES_MAX,
        };
        if bytes.len() >= length {
            return Err(Refused::TooLong);
        }
        let left = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()).ok_or(Refused::Gone)?;
        stream.set_read_timeout(Some(left)).map_err(|_| Refused::Gone)?;
        let mut some = [0; 2_048];
        let wanted = some.len().min(length - bytes.len());
        match stream.read(&mut some[..wanted]) {
            Ok(0) | Err(_) => return Err(Refused::Gone),
            Ok(count) => bytes.extend_from_slice(&some[..count]),
        }
    }
}

/// The request, where its body begins, and how long that is; `None` while its head is not whole.
fn parse(bytes: &[u8], address: SocketAddr) -> Result<Option<(Request, usize, usize)>, Refused> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut parsed = httparse::Request::new(&mut headers);
    let body_from = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Refused::TooLong),
        Err(_) => return Err(Refused::Malformed),
    };
    let all = |name: &str| {
        let values = parsed.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        values.map(|header| std::str::from_utf8(header.value).unwrap_or("\u{fffd}").trim()).collect::<Vec<_>>()
    };
    let [host] = all("host")[..] else { return Err(Refused::Foreign) };
    if !is_ours(host, address) {
        return Err(Refused::Foreign);
    }
    let writes = match parsed.method {
        Some("GET") => false,
        Some("POST") => true,
        _ => return Err(Refused::Method),
    };
    if !all("transfer-encoding").is_empty() {
        return Err(Refused::Malformed);
    }
    let length = match all("content-length")[..] {
        [] => 0,
        [one] => one.parse::<usize>().map_err(|_| Refused::Malformed)?,
        _ => return Err(Refused::Malformed),
    };
    if length > BODY_BYTES_MAX || (!writes && length > 0) {
        return Err(Refused::TooLong);
    }
    // Another site's page can post here, but it cannot set this header without asking, and nobody says yes to that.
    let own = all("origin").iter().all(|origin| *origin == format!("http://{host}"));
    if writes && (!own || all("stockroom-page") != ["1"]) {
        return Err(Refused::Foreign);
    }
    let target = parsed.path.unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let languages = all("accept-language").join(",");
    let request = Request { body: writes.then(Vec::new), path: path.to_owned(), query: query.to_owned(), languages };
    Ok(Some((request, body_from, length)))
}

/// A loopback name, with our port if it names one.
fn is_ours(host: &str, address: SocketAddr) -> bool {
    let port = format!(":{}", address.port());
    let name = host.strip_suffix(&port).unwrap_or(host);
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

impl Refused {
    fn says(self) -> Option<(u16, &'static str)> {
        match self {
            Self::Malformed => Some((400, "this is no request that can be read here\n")),
            Self::TooLong => Some((413, "this is longer than anything that is asked here\n")),
            Self::Foreign => Some((403, "only pages of this view, at a loopback address, are answered\n")),
            Self::Method => Some((405, "GET and POST only\n")),
            Self::Gone => None,
        }
    }
}

/// Plain text.
pub const TEXT: &str = "text/plain; charset=utf-8";

/// Nothing but what comes from here, nothing inline, in nobody's frame, and nothing is kept.
const SAFETY: &str = "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
                      X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n\
                      Cross-Origin-Resource-Policy: same-origin\r\nCross-Origin-Opener-Policy: same-origin\r\n\
                      Cache-Control: no-store\r\nConnection: close\r\n";

/// A browser takes six at once; a few windows are enough.
const CONNECTIONS_MAX: usize = 24;

/// What browsers send is under two thousand bytes.
const HEAD_BYTES_MAX: usize = 8 * 1_024;
const HEADERS_MAX: usize = 48;

/// An act is under a hundred bytes.
const BODY_BYTES_MAX: usize = 1_024;

/// How long anybody may take to ask, or to read.
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Result<Option<(Request, usize, usize)>, Refused> {
        parse(text.as_bytes(), "127.0.0.1:7070".parse().unwrap())
    }

    #[test]
    fn only_a_loopback_name_with_our_port_is_ours() {
        let ours = |host: &str| is_ours(host, "127.0.0.1:7070".parse().unwrap());
        assert!(["127.0.0.1:7070", "localhost:7070", "LOCALHOST", "[::1]:7070"].into_iter().all(ours));
        for other in
            ["shop.example:7070", "127.0.0.1:80", "10.0.0.1:7070", "127.0.0.1.example", "", "localhost:7070:7070"]
        {
            assert!(!ours(other), "{other}");
        }
    }

    #[test]
    fn a_head_is_waited_for_and_bounded() {
        assert_eq!(asked("GET / HTTP/1.1\r\nHost: local").unwrap(), None);
        let (request, from, length) = asked("GET /a?b=c HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap().unwrap();
        assert_eq!((request.path.as_str(), request.query.as_str(), request.body), ("/a", "b=c", None));
        assert_eq!((from, length), (40, 0));
        let many = (0..60).map(|n| format!("A{n}: b\r\n")).collect::<String>();
        assert_eq!(asked(&format!("GET / HTTP/1.1\r\nHost: localhost\r\n{many}\r\n")), Err(Refused::TooLong));
    }

    #[test]
    fn whoever_is_foreign_is_refused() {
        assert_eq!(asked("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n"), Err(Refused::Foreign));
        assert_eq!(asked("GET / HTTP/1.1\r\n\r\n"), Err(Refused::Foreign));
        let post = |more: &str| {
            asked(&format!("POST /act HTTP/1.1\r\nHost: localhost:7070\r\nContent-Length: 9\r\n{more}\r\n"))
        };
        assert_eq!(post(""), Err(Refused::Foreign), "a plain form of another page");
        assert_eq!(post("Stockroom-Page: 1\r\nOrigin: http://evil.example\r\n"), Err(Refused::Foreign));
        assert!(post("Stockroom-Page: 1\r\nOrigin: http://localhost:7070\r\n").is_ok());
    }

    #[test]
    fn bodies_are_bounded_and_never_chunked() {
        let post =
            |more: &str| asked(&format!("POST /act HTTP/1.1\r\nHost: localhost\r\nStockroom-Page: 1\r\n{more}\r\n"));
        assert_eq!(post("Content-Length: 1025\r\n"), Err(Refused::TooLong));
        assert_eq!(post("Transfer-Encoding: chunked\r\n"), Err(Refused::Malformed));
        assert_eq!(post("Content-Length: 1\r\nContent-Length: 2\r\n"), Err(Refused::Malformed));
        assert_eq!(asked("PUT / HTTP/1.1\r\nHost: localhost\r\n\r\n"), Err(Refused::Method));
    }
}
