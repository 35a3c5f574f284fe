// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Held back, kept, and delivered once.

use std::sync::atomic::Ordering::SeqCst;

use super::bench::{
    ENABLED, FUNCTION_MASKED, Guest, guest, mask, message, pending, program, running, set_control,
};
use crate::domain::Raised;
use crate::message::Message;
use crate::sink::{Acceptance, Refusal};

const SENT: Raised = Raised::Sent(Acceptance::Fresh);

#[test]
fn a_raise_sends_the_guests_message_and_leaves_nothing_pending() {
    let (msix, sink) = running(3);
    assert_eq!(msix.port().raise(2), SENT);
    assert_eq!(sink.taken(), [message(2)]);
    assert_eq!(pending(&msix), []);
}

#[test]
fn a_vector_that_does_not_exist_is_refused_and_counted() {
    let (msix, sink) = running(3);
    let port = msix.port();
    for vector in [3, 2048, u16::MAX] {
        let refused = Raised::Refused(Refusal::NotAllocated);
        assert_eq!(port.raise(vector), refused);
        port.retry(vector);
        assert!(!port.is_pending(vector));
    }
    assert_eq!(port.strays(), 3);
    assert_eq!(sink.taken(), []);
}

/// What holds a vector back, and how it is set and cleared.
type Hold = (&'static str, fn(&mut Guest, bool));

const HOLDS: [Hold; 3] = [
    ("vector mask", |msix, held| mask(msix, 1, held)),
    ("function mask", |msix, held| {
        let rest = if msix.enabled() { ENABLED } else { 0 };
        set_control(msix, rest | if held { FUNCTION_MASKED } else { 0 });
    }),
    ("disabled", |msix, held| {
        let masked = msix.function_masked();
        let rest = if masked { FUNCTION_MASKED } else { 0 };
        set_control(msix, rest | if held { 0 } else { ENABLED });
    }),
];

#[test]
fn what_is_raised_while_held_back_is_kept_and_delivered_once() {
    for (name, hold) in HOLDS {
        let (mut msix, sink) = running(3);
        let port = msix.port();
        hold(&mut msix, true);
        assert!(!msix.vector(1).unwrap().sends, "{name}");
        assert_eq!(port.raise(1), Raised::Held, "{name}");
        assert_eq!(port.raise(1), Raised::Met, "{name}");
        assert_eq!(sink.taken(), [], "{name}");
        assert_eq!(pending(&msix), [1], "{name}");
        hold(&mut msix, false);
        assert_eq!(sink.taken(), [message(1)], "{name}");
        assert_eq!(pending(&msix), [], "{name}");
        hold(&mut msix, true);
        hold(&mut msix, false);
        assert_eq!(sink.taken(), [], "{name}: once");
        let counts = port.counts(1).unwrap();
        assert_eq!((counts.raised, counts.held, counts.coalesced), (2, 1, 1));
        assert!(counts.add_up(1), "{name}");
    }
}

#[test]
fn the_last_of_several_holds_to_go_delivers() {
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    for order in orders {
        let (mut msix, sink) = running(3);
        for (_, hold) in HOLDS {
            hold(&mut msix, true);
        }
        assert_eq!(msix.port().raise(1), Raised::Held);
        for at in order {
            assert_eq!(sink.taken(), [], "{order:?} before {at}");
            assert_eq!(pending(&msix), [1]);
            HOLDS[at].1(&mut msix, false);
        }
        assert_eq!(sink.taken(), [message(1)], "{order:?}");
        assert_eq!(pending(&msix), []);
    }
}

#[test]
fn a_function_mask_that_goes_delivers_unmasked_vectors_and_no_others() {
    let (mut msix, sink) = running(130);
    let port = msix.port();
    set_control(&mut msix, ENABLED | FUNCTION_MASKED);
    mask(&mut msix, 64, true);
    for vector in [0, 63, 64, 129] {
        assert_eq!(port.raise(vector), Raised::Held);
    }
    set_control(&mut msix, ENABLED);
    assert_eq!(sink.taken(), [message(0), message(63), message(129)]);
    assert_eq!(pending(&msix), [64]);
    mask(&mut msix, 64, false);
    assert_eq!(sink.taken(), [message(64)]);
}

#[test]
fn writing_the_same_mask_again_delivers_nothing_twice() {
    let (mut msix, sink) = running(1);
    mask(&mut msix, 0, true);
    mask(&mut msix, 0, true);
    let _ = msix.port().raise(0);
    mask(&mut msix, 0, true);
    assert_eq!(sink.taken(), []);
    mask(&mut msix, 0, false);
    mask(&mut msix, 0, false);
    set_control(&mut msix, ENABLED);
    assert_eq!(sink.taken(), [message(0)]);
}

#[test]
fn a_message_rewritten_while_unmasked_moves_delivery_at_once() {
    let (mut msix, sink) = running(2);
    let port = msix.port();
    let at = |address, data| Message { address, data };
    let old = message(1);
    assert_eq!(port.raise(1), SENT);
    msix.write_table(16, &0xfee7_7000_u32.to_le_bytes());
    assert_eq!(port.raise(1), SENT);
    msix.write_table(24, &0x99_u32.to_le_bytes());
    assert_eq!(port.raise(1), SENT);
    msix.write_table(16, &0x5_fee8_8000_u64.to_le_bytes());
    assert_eq!(port.raise(1), SENT);
    let expected = [
        old,
        at(0xfee7_7000, old.data),
        at(0xfee7_7000, 0x99),
        at(0x5_fee8_8000, 0x99),
    ];
    assert_eq!(sink.taken(), expected);
}

#[test]
fn what_was_kept_goes_out_with_the_message_of_the_moment_it_is_unmasked() {
    let (mut msix, sink) = running(1);
    mask(&mut msix, 0, true);
    let _ = msix.port().raise(0);
    program(&mut msix, 0, message(77), false);
    assert_eq!(sink.taken(), [message(77)]);
}

#[test]
fn a_busy_sink_leaves_the_bit_pending_and_gets_it_when_it_is_ready() {
    let (mut msix, sink) = running(1);
    let port = msix.port();
    sink.busy.store(true, SeqCst);
    assert_eq!(port.raise(0), Raised::Held);
    assert_eq!(port.raise(0), Raised::Met);
    assert_eq!(pending(&msix), [0]);
    port.retry(0);
    assert_eq!(pending(&msix), [0], "still busy");
    // A rewritten message does not make the sink any readier.
    program(&mut msix, 0, message(9), false);
    assert_eq!(pending(&msix), [0]);
    sink.busy.store(false, SeqCst);
    port.retry(0);
    assert_eq!(sink.taken(), [message(9)]);
    assert_eq!(pending(&msix), []);
    port.retry(0);
    assert_eq!(sink.taken(), []);
    assert!(port.counts(0).unwrap().add_up(1));
}

#[test]
fn what_a_busy_sink_left_is_delivered_by_the_unmask_if_it_was_masked_meanwhile() {
    let (mut msix, sink) = running(1);
    let port = msix.port();
    sink.busy.store(true, SeqCst);
    assert_eq!(port.raise(0), Raised::Held);
    mask(&mut msix, 0, true);
    sink.busy.store(false, SeqCst);
    port.retry(0);
    assert_eq!(sink.taken(), [], "masked");
    mask(&mut msix, 0, false);
    assert_eq!(sink.taken(), [message(0)]);
    assert_eq!(pending(&msix), []);
}

#[test]
fn a_sink_that_is_busy_when_it_is_unmasked_gets_it_later() {
    let (mut msix, sink) = running(1);
    let port = msix.port();
    mask(&mut msix, 0, true);
    assert_eq!(port.raise(0), Raised::Held);
    sink.busy.store(true, SeqCst);
    mask(&mut msix, 0, false);
    assert_eq!((sink.taken(), pending(&msix)), (vec![], vec![0]));
    sink.busy.store(false, SeqCst);
    port.retry(0);
    assert_eq!((sink.taken(), pending(&msix)), (vec![message(0)], vec![]));
}

#[test]
fn reset_drops_what_was_pending_and_counts_it() {
    let (mut msix, sink) = running(70);
    let port = msix.port();
    mask(&mut msix, 69, true);
    assert_eq!(port.raise(69), Raised::Held);
    assert_eq!(port.raise(3), SENT);
    msix.reset();
    let (fresh, _) = guest(70);
    assert_eq!(msix.save(), fresh.save());
    let counts = port.counts(69).unwrap();
    assert_eq!((counts.raised, counts.dropped), (1, 1));
    assert!(port.counts(3).unwrap().add_up(1));
    set_control(&mut msix, ENABLED);
    program(&mut msix, 69, message(69), false);
    assert_eq!(sink.taken(), [message(3)], "what was dropped stays so");
    assert_eq!(port.raise(69), SENT, "and the vector works");
}
