//! Every option of RocksDB that is not left to its default, and why.

use std::path::Path;

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompressionType, DBRecoveryMode, Options,
    ReadOptions,
};

use crate::engine::Column;

/// How much memory the database may take, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Blocks of files kept for reading, shared by all columns.
    pub block_cache: usize,
    /// What a column gathers before it is written to a file. Up to three of them per column wait to
    /// be written when the disk is slow.
    pub write_buffer: usize,
}

impl Default for Memory {
    /// 128 MiB of blocks and 64 MiB per write buffer: a node of a small cluster.
    fn default() -> Self {
        Memory { block_cache: 128 << 20, write_buffer: 64 << 20 }
    }
}

/// How large one file of RocksDB's own diary grows, in bytes.
const INFO_LOG_BYTES: usize = 8 << 20;

/// The options of the database in a directory and of its columns.
///
/// # Errors
/// RocksDB does not know an option.
pub(super) fn open(
    directory: &Path,
    memory: Memory,
) -> Result<(Options, Vec<ColumnFamilyDescriptor>), rocksdb::Error> {
    let cache = Cache::new_lru_cache(memory.block_cache);
    let columns = Column::ALL.map(|column| {
        ColumnFamilyDescriptor::new(column.name(), of_column(column, memory, &cache))
    });
    let mut database = of_database(memory);
    if !lost_its_log(directory) {
        // A file of the log without its end, with another one behind it, is damage: the recovery mode below
        // takes it for one that ends there, and goes on with the next (decision 0095). There is no setter.
        database = database.get_options_from_string("track_and_verify_wals=true")?;
    }
    Ok((database, columns.into()))
}

/// Whether a database has no file of a log. The option above refuses to open it, although it may be one whose process
/// ended while it was made; files of a log that are missing are found by what the database says of itself, and by
/// whoever wrote to it.
fn lost_its_log(directory: &Path) -> bool {
    let mut files = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let is_log = |file: std::fs::DirEntry| {
        Path::new(&file.file_name()).extension().is_some_and(|end| end == "log")
    };
    directory.join("CURRENT").is_file() && !files.any(is_log)
}

/// Reading one key: the checksum of every block is verified.
pub(super) fn read() -> ReadOptions {
    let mut options = ReadOptions::default();
    options.set_verify_checksums(true);
    options
}

/// Reading `from <= key < to` with checksums verified, or nothing if the range is empty.
pub(super) fn read_range(from: &[u8], to: &[u8]) -> Option<ReadOptions> {
    let mut options = read();
    options.set_iterate_lower_bound(from);
    options.set_iterate_upper_bound(to);
    (from < to).then_some(options)
}

fn of_database(memory: Memory) -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);

    // Recovery. An unfinished record at the very end of the log is a write that was never
    // acknowledged; a bad record anywhere else is damage and must stop the start. The default mode
    // would silently drop everything behind it.
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    // A file of the log that is missing or shorter than it was synced is damage as well.
    options.set_track_and_verify_wals_in_manifest(true);
    // A recycled file ends in records of its former life, which the recovery mode above could not
    // tell from damage; nor can recycling be combined with writes past the log.
    options.set_recycle_log_file_num(0);
    // A buffered write is handed to the operating system at once, so that it survives the process.
    options.set_manual_wal_flush(false);
    // The columns are written past each other on purpose (see the module above): what State owes
    // to Log is kept by Raft, so they need not be flushed together.
    options.set_atomic_flush(false);
    options.set_paranoid_checks(true);
    // `fdatasync` suffices: RocksDB makes the length durable when it matters.
    options.set_use_fsync(false);

    // The order of writes is the order of the batches, in the memtable too.
    options.set_unordered_write(false);
    options.set_enable_pipelined_write(false);

    // A column that is seldom written must not hold the whole log on disk.
    options.set_max_total_wal_size(8 * memory.write_buffer as u64);
    options.set_max_background_jobs(4);
    // Written files reach the disk as they grow, not in one burst at the end that delays the log.
    options.set_bytes_per_sync(1 << 20);
    options.set_avoid_unnecessary_blocking_io(true);

    // RocksDB's own diary: a few files of bounded size.
    options.set_max_log_file_size(INFO_LOG_BYTES);
    options.set_keep_log_file_num(4);
    options.set_stats_dump_period_sec(0);
    options
}

fn of_column(column: Column, memory: Memory, cache: &Cache) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_block_size(16 << 10);
    // The layout of files as of RocksDB 7.9 and later; fixed, so that an upgrade does not move it.
    table.set_format_version(6);
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);

    let mut options = Options::default();
    options.set_write_buffer_size(memory.write_buffer);
    options.set_max_write_buffer_number(3);
    options.set_level_compaction_dynamic_level_bytes(true);
    // A damaged block must not pass through a compaction unseen.
    options.set_paranoid_checks(true);
    match column {
        Column::State => {
            // Most keys that are looked up and absent (receipts, new records) stop at the filter.
            table.set_bloom_filter(10.0, false);
            // Bodies are ciphertext and do not shrink; keys and rows do.
            options.set_compression_type(DBCompressionType::Lz4);
        }
        // The log is written once, seldom read, and soon purged: compressing it would cost more
        // than it saves. Meta is a handful of keys.
        Column::Log | Column::Meta => options.set_compression_type(DBCompressionType::None),
    }
    if column == Column::Meta {
        options.set_write_buffer_size(1 << 20);
    }
    options.set_block_based_table_factory(&table);
    options
}
