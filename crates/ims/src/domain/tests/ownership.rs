// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whose is what: vectors of the right matrix, cookies, PASIDs, requesters.

use super::host::{Host, ORGANISATIONS, Organisation, ROOMY};
use crate::domain::*;
use crate::message::{Addressing, RequesterId};
use crate::sink::{Acceptance, Refusal};
use crate::store::context::ContextMemory;
use crate::store::layout::{PASID_ENABLE, PASID_SHIFT};
use crate::store::{Cookie, CookieUse, Pasid, Store};
use std::sync::atomic::Ordering;

#[test]
fn a_posted_entry_takes_the_guests_vector_and_a_remapped_one_the_hosts() {
    let mut host = Host::new(ROOMY);
    let side = host.ims(8);
    let counts = |host: &Host| {
        [host.host, host.guest].map(|space| host.control.matrix(space).unwrap().total_allocated())
    };
    let _ = host.start(&side, &Request::new(host.guest));
    assert_eq!(counts(&host), [0, 1]);
    let _ = host.start(&side, &Request::new(host.host));
    assert_eq!(counts(&host), [1, 1]);
    let _ = host.start(&side, &Request::new(host.guest));
    assert_eq!(counts(&host), [1, 2]);
    let unit = host.control.unit(host.unit).unwrap();
    let posted = |handle| unit.entry(handle).unwrap().0 >> 15 & 1;
    assert_eq!([0, 1, 2].map(posted), [1, 0, 1]);
}

#[test]
fn a_pasid_stands_in_the_control_word_and_only_its_owner_raises() {
    for organisation in ORGANISATIONS {
        let mut host = Host::new(ROOMY);
        let device = host.device(0x0100);
        let shape = (Kind::Ims, 4);
        let side = host
            .domain(device, shape, true, organisation, CookieUse::Pasid)
            .unwrap();
        let owner = Pasid::new(0xabcde).unwrap();
        let token = host.start(&side, &Request::new(host.host).cookie(owner));
        for slot in side.port.contents(0) {
            assert_eq!(slot.unwrap().control, PASID_ENABLE | 0xabcde << PASID_SHIFT);
        }
        for wrong in [None, Pasid::new(0xabcdf), Pasid::new(0)] {
            let refused = side.port.raise(&host.raiser.enter(), 0, 0, wrong);
            assert_eq!(refused, Raised::Refused(Refusal::Pasid));
        }
        assert_eq!(host.harvest_all(), []);
        let sent = side.port.raise(&host.raiser.enter(), 0, 0, Some(owner));
        assert_eq!(sent, Raised::Sent(Acceptance::Fresh));
        assert_eq!(host.harvest_all(), [token.virq()]);
        let counts = side.port.counts(0).unwrap();
        assert_eq!((counts.raised, counts.refused), (4, 3));
        // The next owner's PASID, not the last one's.
        let _ = host.control.free(token).unwrap();
        host.quiesce();
        let next = Pasid::new(1).unwrap();
        let _ = host.start(&side, &Request::new(host.host).cookie(next).at(0));
        let refused = side.port.raise(&host.raiser.enter(), 0, 0, Some(owner));
        assert_eq!(refused, Raised::Refused(Refusal::Pasid));
        let sent = side.port.raise(&host.raiser.enter(), 0, 0, Some(next));
        assert_eq!(sent, Raised::Sent(Acceptance::Fresh));
    }
}

/// Context memory whose images the test can read while the domain has it.
#[derive(Clone)]
struct Shared(std::sync::Arc<std::sync::Mutex<ContextMemory>>);

impl Store for Shared {
    type Slots = <ContextMemory as Store>::Slots;
    fn slots(&self) -> Self::Slots {
        self.0.lock().unwrap().slots()
    }
    fn limit(&self) -> u32 {
        self.0.lock().unwrap().limit()
    }
    fn prepare(&mut self, index: u32, cookie: Cookie) -> Result<(), crate::store::StoreError> {
        self.0.lock().unwrap().prepare(index, cookie)
    }
    fn program(&mut self, index: u32, message: crate::message::Message) {
        self.0.lock().unwrap().program(index, message);
    }
    fn mask(&mut self, index: u32) {
        self.0.lock().unwrap().mask(index);
    }
    fn unmask(&mut self, index: u32, effects: &mut crate::store::Effects) {
        self.0.lock().unwrap().unmask(index, effects);
    }

    fn freeze(&mut self, index: u32) {
        self.0.lock().unwrap().freeze(index);
    }

    fn thaw(&mut self, index: u32, effects: &mut crate::store::Effects) {
        self.0.lock().unwrap().thaw(index, effects);
    }
    fn clear(&mut self, index: u32, effects: &mut crate::store::Effects) {
        self.0.lock().unwrap().clear(index, effects);
    }
    fn sync(
        &mut self,
        grace: &crate::grace::Grace,
        effects: &mut crate::store::Effects,
    ) -> Result<(), crate::store::StoreError> {
        self.0.lock().unwrap().sync(grace, effects)
    }
    fn revert(&mut self) {
        self.0.lock().unwrap().revert();
    }
    fn release(&mut self, index: u32) {
        self.0.lock().unwrap().release(index);
    }
}

#[test]
fn an_opaque_cookie_stands_in_the_contexts_image() {
    let mut host = Host::new(ROOMY);
    let device = host.device(1);
    let memory = ContextMemory::new(4, 8, CookieUse::Opaque);
    let memory = Shared(std::sync::Arc::new(std::sync::Mutex::new(memory)));
    let config = DomainConfig {
        kind: Kind::Ims,
        hwsize: 0,
        path: Path::Remapped(host.unit),
    };
    let sink = host.remapped.clone();
    let (id, _port) = host
        .control
        .add_domain(device, config, memory.clone(), sink)
        .unwrap();
    let cookie = Cookie(0xdead_beef_cafe_f00d);
    let token = host
        .control
        .alloc(id, &Request::new(host.host).at(5).cookie(cookie))
        .unwrap();
    let owner = || memory.0.lock().unwrap().owner(5);
    assert_eq!(owner(), Some(cookie));
    host.control.activate(token).unwrap();
    assert_eq!(owner(), Some(cookie));
    let _ = host.control.free(token).unwrap();
    assert_eq!(owner(), Some(Cookie(0)));
}

#[test]
fn the_requester_of_the_device_travels_with_each_message() {
    let mut host = Host::new(ROOMY);
    let shape = (Kind::Ims, 4);
    let mut sides = Vec::new();
    for requester in [0x0100, 0xfffe, 0] {
        let device = host.device(requester);
        for remapped in [true, false] {
            let table = Organisation::Table;
            let side = host
                .domain(device, shape, remapped, table, CookieUse::Opaque)
                .unwrap();
            let _ = host.start(&side, &Request::new(host.host));
            sides.push((requester, side));
        }
    }
    for (requester, side) in sides {
        assert_eq!(host.raise(&side, 0), Raised::Sent(Acceptance::Fresh));
        assert_eq!(host.last.load(Ordering::Relaxed), u32::from(requester));
    }
}

#[test]
fn another_devices_message_is_a_fault() {
    let mut host = Host::new(ROOMY);
    let side = host.ims(4);
    let token = host.start(&side, &Request::new(host.host));
    let handle = host.control.location(token).unwrap().handle.unwrap();
    let message = crate::message::Remappable {
        handle,
        subhandle: None,
    }
    .encode();
    let stranger = RequesterId(0x0101);
    let fault = Refusal::Fault(crate::remap::FaultReason::SourceId);
    let answer = crate::sink::MessageSink::send(&host.remapped, stranger, message);
    assert_eq!(answer, crate::sink::Answer::Refused(fault));
    assert_eq!(host.harvest_all(), []);
}

#[test]
fn posting_needs_a_remap_unit() {
    let mut host = Host::new(ROOMY);
    let side = host.ims_in(4, false, Organisation::Table);
    let token = host
        .control
        .alloc(side.id, &Request::new(host.guest))
        .unwrap();
    let before = host.snapshot(&[&side], 4, &[token]);
    assert_eq!(
        host.control.activate(token),
        Err(DomainError::UnmappedPosting)
    );
    assert_eq!(host.snapshot(&[&side], 4, &[token]), before);
    let device = host.device(2);
    let config = DomainConfig {
        kind: Kind::Ims,
        hwsize: 0,
        path: Path::Unmapped(Addressing::Xapic),
    };
    let store = crate::store::table::Table::new(0, CookieUse::Opaque);
    let sink = host.passing.clone();
    let refused = host
        .control
        .add_domain(device, config, store, sink)
        .unwrap_err();
    assert_eq!(refused, DomainError::Size { asked: 0, limit: 0 });
}
