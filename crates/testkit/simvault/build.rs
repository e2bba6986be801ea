//! Says that these sources are compiled for the simulator.

fn main() {
    println!("cargo::rustc-cfg=coffre_sim");
    println!("cargo::rerun-if-changed=build.rs");
}
