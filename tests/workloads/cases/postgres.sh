# image: servers
# user: postgres
# quick: yes

PATH=/usr/lib/postgresql/15/bin:$PATH PGHOST=$PWD PGPORT=5499 PGDATA=$PWD/data
export PATH PGHOST PGPORT PGDATA
id
initdb -A trust -E UTF8 --no-sync --no-instructions | grep -v '^ '
pg_ctl -w -o "-k $PWD -c listen_addresses=127.0.0.1 -c logging_collector=on" -l log start
psql -d postgres -At <<'END'
create table t as select i, md5(i::text) m from generate_series(1,200000) i;
analyze t;
select count(*), max(m) from t;
show shared_memory_type;
show dynamic_shared_memory_type;
show shared_buffers;
END
# Two workers that share memory; an index; programs and files of the server; a second data base.
psql -h 127.0.0.1 -d postgres -At <<END
set parallel_setup_cost=0; set parallel_tuple_cost=0; set min_parallel_table_scan_size=0;
explain (costs off) select count(*) from t where m like 'a%';
select count(*) from t where m like 'a%';
begin; lock table t; create index on t(m); commit; vacuum analyze t; checkpoint;
copy (select * from t order by m limit 3) to '$PWD/out.csv' csv;
select pg_read_file('$PWD/out.csv');
copy t(i) from program 'echo 77';
select count(*) from t;
create database other;
END
pgbench -i -q other 2>&1 | tail -1 | sed 's/[0-9.]* s//g'
pgbench -c 4 -j 2 -t 200 other 2>&1 | grep -E 'processed|failed'
pg_dump other | wc -l
pg_ctl -m fast -w stop
grep -hE 'PANIC|WARN|ERROR' log data/log/*
true
