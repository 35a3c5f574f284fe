// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One interrupt, from a device to the CPU that takes it, and to another CPU.

use std::sync::mpsc;

use ims::domain::{Affinity, Kind, Request};
use ims::message::RequesterId;
use ims::store::table::Table;
use ims::store::{CookieUse, Pasid};
use ims::vector::CpuId;
use ims_host::{Form, Host, Taken};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A remap unit, and a guest with two virtual CPUs, each a thread.
    let host = Host::new();
    let unit = host.add_unit(1024, 8)?;
    let guest = host.add_space(2, Form::Posted)?;

    // A device whose IMS is a table; each of its slots admits one PASID alone.
    let device = host.add_device(RequesterId(0x6a01));
    let slots = Table::new(4096, CookieUse::Pasid);
    let domain = device.add_domain(Kind::Ims, 0, &unit, slots)?;

    // Ask: index, CPU, vector, remap entry and slot, in one call.
    let pasid = Pasid::new(7).ok_or("a PASID has 20 bits")?;
    let (handler, taken) = mpsc::channel();
    let request = Request::new(guest.id).cookie(pasid);
    let irq = domain.alloc(&request, move |interrupt: Taken| {
        let _ = handler.send(interrupt);
    })?;

    // Raise, from any thread: no lock, no allocation, no wait.
    let raise = || host.fly(|flight| domain.port().raise(flight, 0, irq.index(), Some(pasid)));
    let _ = raise();
    let first = taken.recv()?;

    // Move: one remap entry is written; the slot stays as it is.
    let other = CpuId(1 - first.cpu.0);
    irq.set_affinity(&Affinity::Cpu(other))?;
    let _ = raise();
    assert_eq!(taken.recv()?.cpu, other);
    Ok(())
}
