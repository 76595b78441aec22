//! Writes the seeds into the corpus, from where the fuzzer and the tests start.

mod oracles;

fn main() -> std::io::Result<()> {
    for (target, seeds) in oracles::seeds() {
        let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        std::fs::create_dir_all(&directory)?;
        for (number, seed) in seeds.iter().enumerate() {
            std::fs::write(directory.join(format!("seed-{number}")), seed)?;
        }
    }
    Ok(())
}
