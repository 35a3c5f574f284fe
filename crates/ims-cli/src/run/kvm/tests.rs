// SPDX-License-Identifier: Apache-2.0 OR MIT
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use ims::message::RequesterId;
use ims::sink::{Acceptance, Answer, MessageSink};
use ims::store::CookieUse;
use ims::store::table::Table;
use ims_kvm::{Composer, Signal};

use super::*;
use crate::run::carry_out;
use crate::run::scenario::{On, Scenario};
use crate::run::verdict::verdict;
use crate::run::work::work;
use crate::run::world::World;

fn short() -> Scenario {
    Scenario {
        vms: 2,
        vcpus: 2,
        adis: 16,
        seconds: 0.2,
        on: On::Kvm,
        ..Scenario::default()
    }
}

fn right() -> Account {
    Account {
        cpu: 3,
        vector: 0x41,
        sent: 7,
        counted: 7,
        runs: 9,
        empty: 2,
        pending: false,
    }
}

#[test]
fn a_guest_that_counted_what_was_sent_is_right() {
    let (counts, wrong) = held([right(), right()].into_iter());
    assert!(wrong.is_empty(), "{wrong:?}");
    let expected = GuestCounts {
        sent: 14,
        counted: 14,
        runs: 18,
        empty: 4,
        refused: 0,
    };
    assert_eq!(counts, expected);
}

#[test]
fn each_count_of_a_guest_that_is_wrong_is_named_with_its_place() {
    let place = "vCPU 3, vector 0x41: ";
    for (wrong, told) in [
        (
            Account {
                counted: 6,
                empty: 3,
                ..right()
            },
            "7 sent, but the guest counted 6",
        ),
        (
            Account {
                counted: 8,
                runs: 10,
                ..right()
            },
            "7 sent, but the guest counted 8",
        ),
        (
            Account {
                pending: true,
                ..right()
            },
            "7 sent, and one is still pending",
        ),
        (
            Account {
                runs: 10,
                ..right()
            },
            "the guest counted 7, but 8 runs of its handler found one",
        ),
    ] {
        let (_, failures) = held([right(), wrong].into_iter());
        assert_eq!(failures, [format!("{place}{told}")]);
    }
}

/// Whatever is not KVM is answered with soft CPUs, a reason, and a run like any other.
#[test]
fn without_kvm_the_run_says_so_and_uses_soft_cpus() {
    for device in ["/nowhere/kvm", "/dev/null", "/proc/version"] {
        let ground = ground(On::Kvm, Path::new(device));
        assert_eq!(ground.on, On::Soft);
        let note = ground.note.clone().unwrap();
        let start = format!("KVM was asked for, but {device} cannot be used (");
        assert!(note.starts_with(&start), "{note}");
        assert!(note.ends_with("): the VMs have soft CPUs"), "{note}");
        let report = carry_out(short(), ground, None).unwrap();
        assert!(report.ok, "{:?}", report.failures);
        assert_eq!(report.on, "soft CPUs");
        assert_eq!(report.guests, None);
        assert!(report.notes.contains(&note));
        assert!(report.to_string().contains(&note));
    }
}

#[test]
fn soft_cpus_do_not_ask_for_kvm() {
    let ground = ground(On::Soft, Path::new("/nowhere/kvm"));
    assert_eq!((ground.on, ground.note), (On::Soft, None));
}

/// A vector above those that interrupts are given.
const NOBODYS: u8 = 0xf0;

/// Interrupts a vCPU behind the back of whoever counts, and waits until the guest
/// has taken it.
fn interrupt_uncounted(machine: &Machine, cpu: u32) {
    let composer = Composer {
        addressing: machine.addressing(),
        device_ids: false,
    };
    let signal = Signal::new(Arc::clone(machine.vm()), composer);
    assert!(machine.post(vcpus::source(cpu, NOBODYS)));
    let answer = signal.send(RequesterId(0), machine.message(cpu, NOBODYS));
    assert_eq!(answer, Answer::Accepted(Acceptance::HandedOver));
    let begun = Instant::now();
    while machine.is_posted(vcpus::source(cpu, NOBODYS)) || machine.in_handler(cpu, NOBODYS) {
        assert!(begun.elapsed() < Duration::from_secs(60), "nobody takes it");
        thread::yield_now();
    }
}

#[test]
fn a_guest_that_counts_what_was_not_sent_fails_the_run() {
    let ground = ground(On::Kvm, Path::new(KVM));
    if let Some(why) = ground.note {
        eprintln!(
            "SKIPPED run::kvm::tests::a_guest_that_counts_what_was_not_sent_fails_the_run: {why}"
        );
        return;
    }
    let store = |slots| Table::new(slots, CookieUse::Pasid);
    let mut world = World::compose(short(), ground, store, |_| ()).unwrap();
    let worked = work(&mut world, |_| ()).unwrap();
    let right = verdict(&world, &worked).unwrap();
    assert!(right.ok, "{:?}", right.failures);

    interrupt_uncounted(world.guests[1].vcpus.machine(), 1);
    let wrong = verdict(&world, &worked).unwrap();
    assert!(!wrong.ok);
    let place = "VM 1: vCPU 1, vector 0xf0: 0 sent, but the guest counted 1".to_owned();
    assert!(wrong.failures.contains(&place), "{:?}", wrong.failures);

    // A bit without an interrupt: nobody will ever take it.
    let machine = world.guests[0].vcpus.machine();
    assert!(machine.post(vcpus::source(0, NOBODYS)));
    assert_eq!(machine.interrupts(0, NOBODYS), 0);
    let wrong = verdict(&world, &worked).unwrap();
    let place = "VM 0: vCPU 0, vector 0xf0: 0 sent, and one is still pending".to_owned();
    assert!(wrong.failures.contains(&place), "{:?}", wrong.failures);
}
