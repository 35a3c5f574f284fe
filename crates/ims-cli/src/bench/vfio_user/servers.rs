// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The servers that are compared, each with a client and on a thread of its own.

use super::super::Outcome;
use super::super::cpu::{Clock, stand_back, threads};
use super::client::Client;
use super::device::Register;
use super::floor;
use super::published::{self, Backend};
use ims_vfio_user::{Limits, Server};
use rustix::thread::{Pid, gettid};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::sync::{Arc, mpsc};
use std::thread::Builder;

/// What rows call the floor.
pub(super) const FLOOR: &str = "floor: framing, two reads a message";

/// A server with its client.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) client: Client,
    /// The server's thread.
    thread: Pid,
    /// What it has used of its CPU.
    pub(super) clock: Clock,
    /// Others end with their client.
    _server: Option<Server>,
}

/// All three.
#[derive(Debug)]
pub(super) struct Servers {
    pub(super) ours: Served,
    pub(super) published: Served,
    pub(super) floor: Served,
}

impl Servers {
    /// Starts them, on the CPU of the calling thread if that is pinned.
    ///
    /// # Errors
    /// What one of them says.
    pub(super) fn start() -> Outcome<Self> {
        Ok(Self {
            ours: ours(Arc::new(Register::new()?))?,
            published: published_crate()?,
            floor: floor_server()?,
        })
    }

    /// From now on the servers leave their clients alone: a client that waits polls,
    /// and a server runs only when the client waits, as if it had its own CPU.
    ///
    /// # Errors
    /// What the operating system says.
    pub(super) fn stand_back(&mut self) -> Outcome<()> {
        for served in [&mut self.ours, &mut self.published, &mut self.floor] {
            served.client.polls = true;
            stand_back(served.thread)?;
        }
        Ok(())
    }
}

impl Served {
    fn new(client: Client, thread: Pid, server: Option<Server>) -> Outcome<Self> {
        Ok(Self {
            client,
            thread,
            clock: Clock::of(thread)?,
            _server: server,
        })
    }
}

/// Our server, with `device`.
pub(super) fn ours(device: Arc<Register>) -> Outcome<Served> {
    let before = threads()?;
    let server = Server::start(Limits::default())?;
    let (socket, peer) = UnixStream::pair()?;
    server.adopt(peer.into(), device);
    let client = Client::agreed(socket)?;
    // It is there for sure by now, for it has answered.
    let new = threads()?
        .into_iter()
        .find(|thread| !before.contains(thread));
    let thread = new.ok_or("the server has no thread")?;
    Served::new(client, thread, Some(server))
}

fn floor_server() -> Outcome<Served> {
    let (socket, peer) = UnixStream::pair()?;
    let thread = start("floor", move || {
        // An error ends the connection, which the client reports.
        let _ = floor::serve(&peer);
    })?;
    Served::new(Client::agreed(socket)?, thread, None)
}

fn published_crate() -> Outcome<Served> {
    let (listener, address) = listener("published")?;
    let server = published::server(listener.into());
    let thread = start(published::NAME, move || {
        let _ = server.run(&mut Backend::default());
    })?;
    let client = Client::agreed(UnixStream::connect_addr(&address)?)?;
    Served::new(client, thread, None)
}

/// A listener that is in no file system.
fn listener(name: &str) -> Outcome<(UnixListener, SocketAddr)> {
    let name = format!("ims-bench-{}-{name}", std::process::id());
    let address = SocketAddr::from_abstract_name(name)?;
    Ok((UnixListener::bind_addr(&address)?, address))
}

/// Starts a thread and says which it is.
fn start(name: &str, run: impl FnOnce() + Send + 'static) -> Outcome<Pid> {
    let (sender, receiver) = mpsc::channel();
    Builder::new().name(name.to_owned()).spawn(move || {
        let _ = sender.send(gettid());
        run();
    })?;
    Ok(receiver.recv()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{EventfdFlags, eventfd};
    use std::os::fd::AsFd;

    #[test]
    fn all_servers_answer_all_that_is_measured_and_use_a_cpu_for_it() {
        let Servers {
            ours,
            published,
            floor,
        } = Servers::start().unwrap();
        for (mut served, polls) in [(ours, true), (published, false), (floor, false)] {
            served.client.polls = polls;
            let before = served.clock.now().unwrap();
            for vector in 0..20 {
                served.client.write().unwrap();
                served.client.post().unwrap();
                let trigger = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
                served.client.set_trigger(vector, trigger.as_fd()).unwrap();
                served.client.read().unwrap();
            }
            assert!(served.clock.now().unwrap() > before);
        }
    }
}
