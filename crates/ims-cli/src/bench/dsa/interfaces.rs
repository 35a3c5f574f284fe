// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Composing interfaces, and what one costs that does nothing.

use super::super::Outcome;
use super::super::cpu::{Clock, threads};
use super::super::descriptors::{open, shortage};
use super::super::memory::live;
use super::super::row::Row;
use super::super::timing::{Effort, in_turns, repeat};
use ims_dsa::adi::{AdiConfig, Parent, ParentConfig};
use ims_dsa_driver::Driver;
use ims_vfio::Hold;
use ims_vfio_user::{Limits, Server};
use rustix::thread::gettid;
use std::path::{Path, PathBuf};
use std::time::Duration;

const INTERFACES: u32 = 1000;
/// The emulated vector, and four of the store.
const VECTORS: u16 = 5;
/// Of an interface: a listener, a connection, its eventfds; and the driver's ends of
/// them, and its memory.
const OF_EACH: u64 = 5 + 2 * VECTORS as u64;
const MEMORY: u64 = 0x4000;
/// How long they are watched doing nothing.
const WATCHED: Duration = Duration::from_millis(500);

/// # Errors
/// What the parent, the server or a driver says.
pub(super) fn rows(effort: Effort) -> Outcome<Vec<Row>> {
    let mut rows = composing(effort)?;
    rows.extend(idle()?);
    Ok(rows)
}

fn parent() -> Outcome<Parent> {
    Ok(Parent::new(ParentConfig {
        ims_entries: 4096,
        ..ParentConfig::default()
    })?)
}

fn config() -> AdiConfig {
    AdiConfig {
        vectors: VECTORS,
        ..AdiConfig::default()
    }
}

/// Composing and destroying, with and without a socket.
fn composing(effort: Effort) -> Outcome<Vec<Row>> {
    let folder = Folder::new()?;
    let (parent, server) = (parent()?, Server::start(Limits::default())?);
    let path = folder.0.join("one");
    let [alone, served] = in_turns(
        effort,
        [
            &mut |length| {
                repeat(length, |watch| {
                    watch.time(1, || {
                        parent.compose(config())?.destroy(Hold::nobody());
                        Ok(())
                    })
                })
            },
            &mut |length| {
                repeat(length, |watch| {
                    watch.time(1, || {
                        let device = parent.compose(config())?;
                        let id = server.listen(&path, device.clone())?;
                        server.remove(id);
                        device.destroy(Hold::nobody());
                        Ok(())
                    })
                })
            },
        ],
    )?;
    let each =
        |figure: super::super::timing::Figure| format!("{:.0} a second", 1e9 / figure.median);
    Ok(vec![
        Row::figure("compose an interface and destroy it", alone).note(each(alone)),
        Row::figure("the same, served at a socket", served).note(each(served)),
    ])
}

/// A folder for sockets, removed with this.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Outcome<Self> {
        let name = format!("ims-bench-dsa-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is left in a folder for such things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A driver with its device enabled and all handles requested.
fn attached(path: &Path) -> Outcome<Driver> {
    let mut driver = Driver::open(path, MEMORY, VECTORS)?;
    driver.enable()?;
    driver.enable_queue(0)?;
    for vector in 1..VECTORS {
        driver.request_handle(vector, false)?;
    }
    Ok(driver)
}

/// A thousand of them: composed, then attached and enabled, then silent.
fn idle() -> Outcome<Vec<Row>> {
    let name = |what: &str| format!("{INTERFACES} idle interfaces: {what}");
    if let Some(why) = shortage(OF_EACH * u64::from(INTERFACES))? {
        return Ok(vec![Row::skipped(name("memory of one"), "KiB", &why)]);
    }
    let folder = Folder::new()?;
    let (parent, server) = (parent()?, Server::start(Limits::default())?);
    let (before_threads, before_descriptors, before) = (threads()?, open()?, live());
    let mut devices = Vec::new();
    for number in 0..INTERFACES {
        let device = parent.compose(config())?;
        server.listen(&folder.0.join(number.to_string()), device.clone())?;
        devices.push(device);
    }
    let composed = live().saturating_sub(before);
    let mut drivers = Vec::new();
    for number in 0..INTERFACES {
        drivers.push(attached(&folder.0.join(number.to_string()))?);
    }
    let count = f64::from(INTERFACES);
    let attached = live().saturating_sub(before);
    let descriptors = open()?.saturating_sub(before_descriptors);
    // The driver's ends: a socket, its memory's file twice, its eventfds.
    let own = drivers.len() * (3 + usize::from(VECTORS));
    let new = threads()?.len().saturating_sub(before_threads.len());
    let used = busy()?;
    drop(drivers);
    let kib = |bytes: usize| bytes as f64 / count / 1024.0;
    Ok(vec![
        Row::new(name("memory of one, composed"), kib(composed), "KiB")
            .note("with its listener; allocated by this process, without the kernel's"),
        Row::new(name("memory of one, enabled"), kib(attached), "KiB")
            .note("four interrupts of the store allocated; the driver's side is in it too"),
        Row::new(
            name("descriptors of one"),
            descriptors.saturating_sub(own) as f64 / count,
            "descriptors",
        )
        .note("listener, connection, an eventfd for each vector; memory's are closed"),
        Row::new(name("threads more"), new as f64, "threads"),
        Row::new(name("CPU of all"), used, "µs/s")
            .note("of all threads but the one that measures, while all are silent"),
    ])
}

/// Microseconds of CPU that all threads but this take a second.
fn busy() -> Outcome<f64> {
    let mut clocks = Vec::new();
    for thread in threads()? {
        if thread != gettid() {
            clocks.push(Clock::of(thread)?);
        }
    }
    let used = || -> Outcome<f64> { clocks.iter().map(Clock::now).sum() };
    let before = used()?;
    std::thread::sleep(WATCHED);
    Ok((used()? - before) / 1e3 / WATCHED.as_secs_f64())
}
