// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The server: devices on sockets, one thread for all of them.

mod interest;
mod listener;
mod poll;
mod served;
mod service;

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use ims_vfio::{Device, Endpoint};
use rustix::io::Errno;

use crate::control::Control;
use crate::limits::Limits;
use crate::wake::{Event, Events};
use service::Service;

pub use listener::{ListenError, bind};

/// Devices on sockets.
///
/// One thread serves all clients of all devices and does nothing else; the
/// devices' work is done by threads of their own. Several servers in a process
/// share nothing.
///
/// Dropping it is [`Server::stop`].
#[derive(Debug)]
pub struct Server {
    events: Arc<Events>,
    next: AtomicU64,
    thread: Option<JoinHandle<()>>,
}

/// Why a server could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// No descriptor for waiting on sockets.
    #[error("no descriptor to wait with: {0}; raise the limit of open files")]
    Descriptor(Errno),
    /// No thread.
    #[error("no thread to serve on: {0}; raise the limit of threads")]
    Thread(io::Error),
}

/// A device on a server, as the server names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeviceId(u64);

impl Server {
    /// Starts a server without devices.
    ///
    /// # Errors
    /// [`ServerError`].
    pub fn start(limits: Limits) -> Result<Self, ServerError> {
        let events = Arc::new(Events::new().map_err(ServerError::Descriptor)?);
        let service = Service::new(limits, Arc::clone(&events)).map_err(ServerError::Descriptor)?;
        let thread = thread::Builder::new()
            .name("vfio-user".to_owned())
            .spawn(move || service.run())
            .map_err(ServerError::Thread)?;
        Ok(Self {
            events,
            next: AtomicU64::new(1),
            thread: Some(thread),
        })
    }

    /// Serves `device` at `path`, to one client after the other; who comes while
    /// one is there waits. A socket that a dead server left there is replaced.
    ///
    /// # Errors
    /// [`ListenError`].
    pub fn listen(&self, path: &Path, device: Arc<dyn Device>) -> Result<DeviceId, ListenError> {
        let listener = listener::bind(path)?;
        let id = self.next_id();
        self.events.push(Event::Control(Control::Listen {
            id,
            listener,
            path: path.to_owned(),
            endpoint: Endpoint::new(device),
        }));
        Ok(DeviceId(id))
    }

    /// Serves `device` to the client at the other end of `socket`, and to no other.
    pub fn adopt(&self, socket: OwnedFd, device: Arc<dyn Device>) -> DeviceId {
        let id = self.next_id();
        self.events.push(Event::Control(Control::Adopt {
            id,
            socket,
            endpoint: Endpoint::new(device),
        }));
        DeviceId(id)
    }

    /// Serves a device no longer: its client is disconnected, its socket removed.
    /// Returns when that is done.
    pub fn remove(&self, DeviceId(id): DeviceId) {
        let (done, removed) = mpsc::channel();
        self.events
            .push(Event::Control(Control::Remove { id, done }));
        // An error: the thread is gone, and its clients with it.
        let _ = removed.recv();
    }

    /// Finishes what is in flight, disconnects all clients and ends.
    pub fn stop(mut self) {
        self.stop_once();
    }

    /// Waits until the thread ends, which only a defect makes it do.
    pub fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }

    fn stop_once(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.events.push(Event::Control(Control::Stop));
            if thread.join().is_err() {
                tracing::error!("the vfio-user thread panicked");
            }
        }
    }

    fn next_id(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop_once();
    }
}
