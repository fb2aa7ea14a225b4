# A CSV into a table by pandas, as scripts do it: `DATABASE_URL=… python3 to_sql.py trips.csv table`.
import os
import sys

import pandas
import sqlalchemy

path, table = sys.argv[1:]
moments = ["tpep_pickup_datetime", "tpep_dropoff_datetime"]
trips = pandas.read_csv(path, parse_dates=moments)
engine = sqlalchemy.create_engine(os.environ["DATABASE_URL"])
trips.to_sql(table, engine, if_exists="append", index=False, chunksize=100_000)
