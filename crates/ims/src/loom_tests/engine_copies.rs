// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A slot with a copy in each engine: raises from several against an unmask.

use alloc::sync::Arc;
use loom::sync::atomic::AtomicU64;
use loom::sync::atomic::Ordering::Relaxed;
use loom::thread;

use super::bench::{Bench, Poster, descriptor, harvest};
use crate::store::CookieUse;
use crate::store::engines::{Engines, Spread};

#[test]
fn loom_a_raise_kept_in_another_engines_copy_is_delivered_with_its_data() {
    loom::model(|| {
        let target = descriptor();
        let store = Engines::new(2, 1, Spread::Replicated, CookieUse::Opaque);
        let mut bench = Bench::new(store, Poster(Arc::clone(&target)), 0x31);
        let data = Arc::new(AtomicU64::new(0));
        let (port, mut raiser) = (bench.port.clone(), bench.raiser());
        let written = Arc::clone(&data);
        let device = thread::spawn(move || {
            written.store(1, Relaxed);
            let _ = port.raise(&raiser.enter(), 1, 0, None);
        });
        bench.unmask();
        let early = harvest(&target).eq([0x31]);
        if early {
            assert_eq!(data.load(Relaxed), 1, "interrupt before its data");
        }
        device.join().unwrap();
        assert_ne!(early, harvest(&target).eq([0x31]), "delivered once in all");
        assert!(!bench.port.is_pending(0));
    });
}
