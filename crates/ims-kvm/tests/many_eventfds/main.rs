// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Ten thousand eventfds that another process writes, on 4096 GSIs, while the guest
//! masks and moves vectors: each event is one interrupt, and none is missing at
//! the end.
//!
//! ```text
//!   writer (a process)                 here                            guest
//!   sets the source's bit in           forwarder, irqfds          ──▶  handler of (vCPU, vector)
//!   guest memory; if it was clear,     masks, moves, masks whole       takes the bit, counts
//!   counts it and writes the eventfd   functions, all the time
//! ```
//!
//! A source's bit is set again only after a handler has taken it, so nothing can
//! coalesce: every event must run one handler, and that handler must find the bit.
//! A handler that finds nothing is a duplicate; a bit that stays is a loss.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    unreachable_pub,
    dead_code,
    reason = "a test"
)]

mod disturber;
#[path = "../open_files/mod.rs"]
mod open_files;
mod passing;
mod places;
mod writer;

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ims_kvm::machine::{Bus, Config, Irqchip, Machine, MachineError};
use ims_kvm::{Interrupts, Options, Report};

use disturber::Disturber;
use places::Places;

const NAME: &str = "ten_thousand_eventfds_of_another_process_lose_nothing_and_repeat_nothing";
/// Set for the writer: it is this same test, with a socket as its input.
const WRITER: &str = "IMS_KVM_WRITES_EVENTFDS";
const DEVICES: u32 = 5;
const VECTORS: u16 = 2000;
const SOURCES: u32 = DEVICES * VECTORS as u32;
const CPUS: u32 = 64;
/// Descriptors of each process: the eventfds, and some.
const FILES: u64 = 10_500;
/// How long it goes on.
const LEAST: Duration = Duration::from_secs(8);
const MOST: Duration = Duration::from_secs(180);

/// The guest reads and writes nothing but its memory.
struct Nothing;

impl Bus for Nothing {}

#[test]
fn ten_thousand_eventfds_of_another_process_lose_nothing_and_repeat_nothing() {
    if std::env::var_os(WRITER).is_some() {
        return writer::write();
    }
    if open_files::most().is_some_and(|most| most < FILES) {
        eprintln!("SKIPPED {NAME}: the limit of open files is below {FILES}");
        return;
    }
    let config = Config {
        vcpus: CPUS,
        irqchip: Irqchip::InKernel,
        x2apic: false,
        words: SOURCES,
        memory: 0,
        notify: false,
    };
    let machine = match Machine::start(config, Arc::new(Nothing)) {
        Ok(machine) => Arc::new(machine),
        Err(MachineError::NoKvm(why)) => {
            eprintln!("SKIPPED {NAME}: no /dev/kvm: {why}");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let interrupts = Interrupts::new(Arc::clone(machine.vm()), Options::default()).unwrap();
    let places = Places::new(Arc::clone(&machine), CPUS, SOURCES);
    let mut disturber = Disturber::new(&interrupts, places, DEVICES, VECTORS);

    let (socket, theirs) = UnixStream::pair().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([NAME, "--exact"])
        .env(WRITER, "1")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    passing::memory(&socket, &machine);
    passing::eventfds(&socket, &disturber.eventfds());

    // Until what the test is about has happened often enough, however slow all is.
    let start = Instant::now();
    while start.elapsed() < LEAST || !enough(&disturber, &interrupts.report()) {
        assert!(start.elapsed() < MOST, "{:#?}", interrupts.report());
        disturber.turn();
        std::thread::sleep(Duration::from_millis(1));
    }
    let sent = passing::stop_and_take_counts(&socket, SOURCES);
    assert!(child.wait().unwrap().success());
    disturber.end();

    let late = wait_until_taken(&machine, &sent);
    let report = interrupts.report();
    let mut wrong = Vec::new();
    for (source, &sent) in sent.iter().enumerate() {
        let taken = machine.taken(source as u32 * 64);
        if taken != sent {
            wrong.push((source, sent, taken));
        }
    }
    let (ran, empty) = disturber.places().handlers();
    let total: u64 = sent.iter().sum();
    eprintln!(
        "{total} events, {late} sources late; {ran} handlers ran, {empty} found nothing; {report:#?}"
    );
    assert!(
        wrong.is_empty(),
        "source, sent, taken: {wrong:?}; {report:#?}"
    );
    assert_eq!((ran, empty), (total, 0), "duplicates");
    assert!(
        sent.iter().all(|&sent| sent > 0),
        "every source was written"
    );
}

/// Whether masks, moves, promotions, demotions and returns were many.
fn enough(disturber: &Disturber, report: &Report) -> bool {
    let disturbed = disturber.masked > 500 && disturber.moved > 200 && disturber.functions > 1;
    disturbed && report.promotions > 4072 && report.demotions > 100 && report.returned > 100
}

/// Waits as long as the guest makes progress; says how many sources are not taken.
fn wait_until_taken(machine: &Machine, sent: &[u64]) -> usize {
    let mut left = usize::MAX;
    let mut since = Instant::now();
    loop {
        let now = (0..sent.len()).filter(|&source| machine.is_posted(source as u32 * 64));
        let now = now.count();
        if now < left {
            (left, since) = (now, Instant::now());
        }
        if left == 0 {
            // A repeated interrupt would come about now.
            std::thread::sleep(Duration::from_millis(300));
            return 0;
        }
        if since.elapsed() > Duration::from_secs(20) {
            return left;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}
