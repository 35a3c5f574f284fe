// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A thousand devices, each with a listener and a client that is silent.

use super::super::Outcome;
use super::super::cpu::{Clock, threads};
use super::super::descriptors::{open, shortage};
use super::super::memory::live;
use super::super::row::Row;
use super::client::Client;
use super::device::{Register, VECTORS};
use ims_vfio::Device;
use ims_vfio_user::{Limits, Server};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const DEVICES: u32 = 1000;

/// A listener, a connection, and the client's end of that.
const OF_EACH: u64 = 3;

/// How long they are watched doing nothing.
const WATCHED: Duration = Duration::from_millis(300);

/// A folder for sockets, removed with this.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Outcome<Self> {
        let name = format!("ims-bench-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }

    fn socket(&self, number: u32) -> PathBuf {
        self.0.join(number.to_string())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is left in a folder for such things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What the server has, at some time.
struct Have {
    descriptors: usize,
    bytes: usize,
}

impl Have {
    fn now() -> Outcome<Self> {
        Ok(Self {
            descriptors: open()?,
            bytes: live(),
        })
    }
}

/// What they cost.
///
/// # Errors
/// What a client or the operating system says.
pub(super) fn rows() -> Outcome<Vec<Row>> {
    let count = f64::from(DEVICES);
    let name = |what: &str| format!("{DEVICES} idle devices: {what}");
    if let Some(why) = shortage(OF_EACH * u64::from(DEVICES))? {
        return Ok(vec![Row::skipped(name("threads"), "threads", &why)]);
    }
    let folder = Folder::new()?;
    let mut clients = Vec::with_capacity(DEVICES as usize);
    let before = threads()?;
    let without = Have::now()?;
    let server = Server::start(Limits::default())?;
    let bytes = live();
    let mut devices: Vec<Arc<dyn Device>> = Vec::with_capacity(DEVICES as usize);
    for _ in 0..DEVICES {
        devices.push(Arc::new(Register::new()?));
    }
    let made = live() - bytes;
    let bytes = live();
    for (number, device) in (0..).zip(&devices) {
        server.listen(&folder.socket(number), Arc::clone(device))?;
    }
    for number in 0..DEVICES {
        clients.push(agreed(&folder.socket(number))?);
    }
    // Whatever the server does after it has answered the last of them.
    std::thread::sleep(WATCHED / 10);
    let served = live().saturating_sub(bytes);
    let with = Have::now()?;
    let new: Vec<_> = threads()?
        .into_iter()
        .filter(|thread| !before.contains(thread))
        .collect();
    let busy = busy(&new)?;
    let descriptors = with.descriptors.saturating_sub(without.descriptors) - clients.len();
    let all = with.bytes.saturating_sub(without.bytes);
    drop((clients, server));
    Ok(vec![
        Row::new(name("threads"), new.len() as f64, "threads").note(
            "each listens and has a client that has agreed on a version; all in one process",
        ),
        Row::new(name("descriptors"), descriptors as f64, "descriptors")
            .note("a listener and a connection each, and the server's own"),
        Row::new(name("memory"), all as f64 / 1024.0, "KiB").note(format!(
            "as allocated, without the kernel's; a device of {VECTORS} vectors is {:.0} bytes, serving it {:.0}",
            made as f64 / count,
            served as f64 / count
        )),
        Row::new(name("CPU"), busy, "µs/s").note("of the server's thread, while nobody says anything"),
    ])
}

/// A client, and nothing of its own but the socket.
fn agreed(path: &Path) -> Outcome<UnixStream> {
    Ok(Client::agreed(UnixStream::connect(path)?)?.into_socket())
}

/// Microseconds of CPU that threads take a second.
fn busy(threads: &[rustix::thread::Pid]) -> Outcome<f64> {
    let mut clocks = Vec::new();
    for thread in threads {
        clocks.push(Clock::of(*thread)?);
    }
    let used = || -> Outcome<f64> { clocks.iter().map(Clock::now).sum() };
    let before = used()?;
    std::thread::sleep(WATCHED);
    Ok((used()? - before) / 1e3 / WATCHED.as_secs_f64())
}
