//! The line between a browser and a node: it can be cut and mended, for the page, its service worker and everything else in that browser.
//!
//! The browser's own emulation of a lost network does not reach service workers; this does.

use std::io;
use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// A listener on loopback that passes every connection on to a node, as long as the line is whole.
#[derive(Debug)]
pub struct Wire {
    address: SocketAddr,
    is_whole: watch::Sender<bool>,
}

impl Wire {
    /// To the node at `node`; lives as long as the runtime.
    pub fn to(node: &str, runtime: &Runtime) -> io::Result<Self> {
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let (is_whole, state) = watch::channel(true);
        runtime.spawn(serve(listener, node.to_owned(), state));
        Ok(Self { address, is_whole })
    }

    /// Its end at the browser.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Every connection ends now, and new ones end at once.
    pub fn cut(&self) {
        self.is_whole.send_replace(false);
    }

    /// Connections pass again.
    pub fn mend(&self) {
        self.is_whole.send_replace(true);
    }
}

async fn serve(listener: TcpListener, node: String, state: watch::Receiver<bool>) {
    loop {
        // One that was reset before it was taken is nobody's loss.
        let Ok((browser, _)) = listener.accept().await else { continue };
        if *state.borrow() {
            tokio::spawn(pass(browser, node.clone(), state.clone()));
        }
    }
}

async fn pass(mut browser: TcpStream, node: String, mut state: watch::Receiver<bool>) {
    let Ok(mut node) = TcpStream::connect(node).await else { return };
    tokio::select! {
        // Either end may hang up as it likes.
        _ = copy_bidirectional(&mut browser, &mut node) => {}
        _ = state.wait_for(|is_whole| !is_whole) => {}
    }
}
