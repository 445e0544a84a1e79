//! Networks of the pilot: one namespace for the hub, and for each store one for its box and one for a phone. Boxes and the hub meet at a
//! bridge, which is the world; a box and its phone share a cable, which is the shop's network. All of it goes when it is dropped.

use std::fs::File;
use std::os::fd::AsFd;
use std::process::Command;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::binary::command;

/// Who has a network of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Head office.
    Hub,
    /// The back room of a store.
    Box(u8),
    /// Somebody's hand in that store.
    Phone(u8),
    /// What lies between them.
    World,
}

/// The networks.
pub struct Networks {
    mark: u32,
    stores: u8,
}

impl Networks {
    /// Makes them, or says why that cannot be.
    pub fn lay(stores: u8) -> Result<Self, String> {
        let networks = Self { mark: std::process::id(), stores };
        networks.make()?;
        Ok(networks)
    }

    /// The namespace of a place.
    pub fn name(&self, place: Place) -> String {
        let mark = self.mark;
        match place {
            Place::Hub => format!("pilot{mark}-hub"),
            Place::Box(store) => format!("pilot{mark}-box{store}"),
            Place::Phone(store) => format!("pilot{mark}-phone{store}"),
            Place::World => format!("pilot{mark}-world"),
        }
    }

    /// A command that runs at a place.
    pub fn at(&self, place: Place, program: &str) -> Command {
        let mut ip = command("ip".as_ref());
        ip.args(["netns", "exec", &self.name(place), program]);
        ip
    }

    /// Does something on a thread that stands at a place: its sockets are of that network.
    pub fn stand<T: Send>(&self, place: Place, work: impl FnOnce() -> T + Send) -> T {
        let path = format!("/run/netns/{}", self.name(place));
        std::thread::scope(|scope| {
            let standing = scope.spawn(|| {
                let file = File::open(&path).expect("the namespace was made");
                move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).expect("root may move there");
                work()
            });
            standing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Cuts a store from the world, or mends that.
    pub fn cut(&self, store: u8, is_cut: bool) {
        let state = if is_cut { "down" } else { "up" };
        self.inside(Place::Box(store), &["link", "set", "wan", state]).expect("root may");
    }

    fn make(&self) -> Result<(), String> {
        for place in self.places() {
            ip(&["netns", "add", &self.name(place)])?;
            self.inside(place, &["link", "set", "lo", "up"])?;
        }
        self.inside(Place::World, &["link", "add", "bridge", "type", "bridge"])?;
        self.inside(Place::World, &["link", "set", "bridge", "up"])?;
        self.to_the_world(Place::Hub, "hub", 1)?;
        for store in 1..=self.stores {
            self.to_the_world(Place::Box(store), &format!("box{store}"), 10 + store)?;
            let (near, far) = (Place::Box(store), Place::Phone(store));
            self.cable(near, "lan", far, "wifi")?;
            self.inside(near, &["address", "add", &format!("{}/24", lan(store, 1)), "dev", "lan"])?;
            self.inside(far, &["address", "add", &format!("{}/24", lan(store, 2)), "dev", "wifi"])?;
            // A phone sends everything else to its only network, multicast too.
            self.inside(far, &["route", "add", "default", "dev", "wifi"])?;
        }
        Ok(())
    }

    fn to_the_world(&self, place: Place, port: &str, last: u8) -> Result<(), String> {
        self.cable(place, "wan", Place::World, port)?;
        self.inside(Place::World, &["link", "set", port, "master", "bridge"])?;
        self.inside(place, &["address", "add", &format!("10.77.0.{last}/24"), "dev", "wan"])
    }

    fn cable(&self, near: Place, near_end: &str, far: Place, far_end: &str) -> Result<(), String> {
        let (here, there) = (self.name(near), self.name(far));
        self.inside(near, &["link", "add", near_end, "type", "veth", "peer", "name", far_end, "netns", &there])
            .map_err(|error| format!("{here} to {there}: {error}"))?;
        self.inside(near, &["link", "set", near_end, "up"])?;
        self.inside(far, &["link", "set", far_end, "up"])
    }

    fn inside(&self, place: Place, arguments: &[&str]) -> Result<(), String> {
        let name = self.name(place);
        ip(&[&["-n", name.as_str()], arguments].concat())
    }

    fn places(&self) -> Vec<Place> {
        let stores = (1..=self.stores).flat_map(|store| [Place::Box(store), Place::Phone(store)]);
        [Place::World, Place::Hub].into_iter().chain(stores).collect()
    }
}

impl Drop for Networks {
    fn drop(&mut self) {
        for place in self.places() {
            // One that was never made cannot go.
            let _ = ip(&["netns", "del", &self.name(place)]);
        }
    }
}

/// An address in a store's network: 1 is the box, 2 the phone.
pub fn lan(store: u8, last: u8) -> String {
    format!("192.168.{}.{last}", 10 + store)
}

/// The hub's address in the world.
pub const HUB: &str = "10.77.0.1";

fn ip(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(arguments).output().map_err(|error| format!("ip: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("ip {}: {}", arguments.join(" "), said.trim())) }
}
