//! A receiver of webhooks on loopback that answers as it is told and remembers what it heard.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// A server that ends with its test.
pub struct Receiver {
    address: SocketAddr,
    desk: Arc<Mutex<Desk>>,
    thread: Option<JoinHandle<()>>,
}

/// What it does with one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Answers with this status.
    Status(u16),
    /// Answers with this status and one more header line.
    With(u16, String),
    /// Takes the request and hangs up.
    Silence,
}

/// One request as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// `webhook-id`.
    pub id: String,
    /// `webhook-timestamp`.
    pub timestamp: String,
    /// `webhook-signature`.
    pub signature: String,
    /// `content-type`.
    pub content_type: String,
    /// The body, byte for byte.
    pub body: Vec<u8>,
}

#[derive(Default)]
struct Desk {
    replies: VecDeque<Reply>,
    heard: Vec<Heard>,
    is_closed: bool,
}

impl Receiver {
    /// Listens on a free port and answers 204.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let desk = Arc::<Mutex<Desk>>::default();
        let of_thread = desk.clone();
        let thread = std::thread::spawn(move || serve(&listener, &of_thread));
        Ok(Self { address, desk, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}/in", self.address)
    }

    /// How it answers the next requests; 204 after them.
    pub fn reply(&self, replies: impl IntoIterator<Item = Reply>) {
        lock(&self.desk).replies.extend(replies);
    }

    /// Everything that it heard, in order.
    pub fn heard(&self) -> Vec<Heard> {
        lock(&self.desk).heard.clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        lock(&self.desk).is_closed = true;
        // Wakes the thread, which waits for a connection.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(listener: &TcpListener, desk: &Mutex<Desk>) {
    for stream in listener.incoming() {
        if lock(desk).is_closed {
            return;
        }
        // A client that hangs up is the client's affair.
        let _ = stream.and_then(|stream| answer(stream, desk));
    }
}

fn answer(stream: TcpStream, desk: &Mutex<Desk>) -> io::Result<()> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    let mut reader = BufReader::new(stream);
    let mut heard = Heard::default();
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line)? > 2 {
        if let Some((name, value)) = line.trim_end().split_once(": ") {
            let value = value.to_owned();
            match name.to_ascii_lowercase().as_str() {
                "webhook-id" => heard.id = value,
                "webhook-timestamp" => heard.timestamp = value,
                "webhook-signature" => heard.signature = value,
                "content-type" => heard.content_type = value,
                "content-length" => length = value.parse().unwrap_or(0),
                _ => {}
            }
        }
        line.clear();
    }
    let mut body = vec![0; length.min(BODY_BYTES_MAX)];
    reader.read_exact(&mut body)?;
    heard.body = body;
    let reply = {
        let mut desk = lock(desk);
        desk.heard.push(heard);
        desk.replies.pop_front().unwrap_or(Reply::Status(204))
    };
    let (status, more) = match reply {
        Reply::Status(status) => (status, String::new()),
        Reply::With(status, more) => (status, format!("{more}\r\n")),
        Reply::Silence => return Ok(()),
    };
    let head = format!("HTTP/1.1 {status} Said\r\n{more}content-length: 0\r\nconnection: close\r\n\r\n");
    reader.get_mut().write_all(head.as_bytes())
}

fn lock(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

const TIMEOUT: Duration = Duration::from_secs(5);

const BODY_BYTES_MAX: usize = 64 * 1024;
