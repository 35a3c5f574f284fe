// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Interrupts that cannot be led to where they should go.

use super::{cpu, undone};
use crate::domain::tests::host::{Host, ORGANISATIONS, ROOMY, Size};
use crate::domain::*;
use crate::vector::{CpuId, CpuSet};
use std::sync::atomic::Ordering;

#[test]
fn an_activation_that_finds_the_remap_table_full() {
    for organisation in ORGANISATIONS {
        let mut host = Host::new(Size {
            entries: 2,
            ..ROOMY
        });
        let side = host.ims_in(16, true, organisation);
        let first = host.start(&side, &Request::new(host.host));
        let second = host.start(&side, &Request::new(host.guest));
        let sides = [&side];
        let set = Affinity::Cpus(CpuSet::from(1..3));
        for affinity in [Affinity::Any, set, Affinity::Managed(CpuSet::from(0..2))] {
            let request = Request::new(host.host).affinity(affinity);
            let third = host.control.alloc(side.id, &request).unwrap();
            let tokens = [first, second, third];
            undone(&mut host, &sides, &tokens, 28, |h| {
                h.control.activate(third)
            });
            let _ = host.control.free(third).unwrap();
            assert_eq!(host.control.settle(), 0);
        }
    }
}

#[test]
fn a_cpu_that_cannot_be_reached() {
    for organisation in ORGANISATIONS {
        for remapped in [true, false] {
            let mut host = Host::new(ROOMY);
            let side = host.ims_in(16, remapped, organisation);
            let request = Request::new(host.host);
            let running = host.start(&side, &request.clone().affinity(cpu(0)));
            let waiting = host.control.alloc(side.id, &request).unwrap();
            let (sides, tokens) = ([&side], [running, waiting]);
            host.machine.unreachable.store(0b1110, Ordering::Relaxed);
            undone(&mut host, &sides, &tokens, 19, |h| {
                h.control.activate(waiting)
            });
            undone(&mut host, &sides, &tokens, 19, |h| {
                h.control.set_affinity(running, &cpu(2))
            });
            let zero = CpuId(0);
            undone(&mut host, &sides, &tokens, 19, |h| {
                h.control.cpu_offline(h.host, zero)
            });
            host.machine.unreachable.store(0, Ordering::Relaxed);
            assert!(host.control.activate(waiting).is_ok());
            assert!(host.control.set_affinity(running, &cpu(2)).is_ok());
        }
    }
}

#[test]
fn a_descriptor_or_an_apic_id_that_cannot_be_named() {
    for organisation in ORGANISATIONS {
        let mut host = Host::new(ROOMY);
        let posted = host.ims_in(16, true, organisation);
        let unmapped = host.ims_in(16, false, organisation);
        let on = |space| Request::new(space).affinity(cpu(0));
        let tokens = [
            host.start(&posted, &on(host.guest)),
            host.control.alloc(posted.id, &on(host.guest)).unwrap(),
            host.start(&unmapped, &on(host.host)),
            host.control.alloc(unmapped.id, &on(host.host)).unwrap(),
        ];
        let sides = [&posted, &unmapped];
        host.machine.high.store(true, Ordering::Relaxed);
        host.machine.wide.store(true, Ordering::Relaxed);
        for (running, waiting, errno) in [(tokens[0], tokens[1], 5), (tokens[2], tokens[3], 22)] {
            undone(&mut host, &sides, &tokens, errno, |h| {
                h.control.activate(waiting)
            });
            undone(&mut host, &sides, &tokens, errno, |h| {
                h.control.set_affinity(running, &cpu(1))
            });
        }
        for space in [host.guest, host.host] {
            let errno = if space == host.guest { 5 } else { 22 };
            undone(&mut host, &sides, &tokens, errno, |h| {
                h.control.cpu_offline(space, CpuId(0))
            });
        }
    }
}
