! Parcel's partition library for Fortran 2008 programs. One file, to be compiled with them:
!
!     gfortran -c $prefix/share/parcel/fortran/parcel.f90
!     gfortran program.f90 parcel.o -L$prefix/lib -lparcel_partition
!
! The manual is the C headers, parcel/*.h: names, arguments and their order are the same here. What to know:
!
! - Everything counts from 0 as in C: positions, parts, steps, local indices, the dimension asked about.
!   Arrays are Fortran's: grid%axes(1) and point(1) are those of dimension 0.
! - Counts and positions are integer(parcel_index), so write 1000000_parcel_index. Parts, statuses and kinds
!   are integer(c_int), the default integer of every compiler we know.
! - A layout is a type(c_ptr) of iso_c_binding. parcel_layout_free ends it; nothing else does.
! - What C returns through a pointer is an argument, untouched if the status is not parcel_ok.
! - Text is character(*), whose blanks at the end do not count. What is text in C comes as character(:),
!   allocatable, with no buffer to pass: parcel_range_format(range), parcel_layout_format(layout).
! - Fortran cannot tell the status PARCEL_RANGE from the type parcel_range. The status is parcel_out_of_range.
! - An unsigned number of C is the signed one of the same bits.
module parcel
  use, intrinsic :: iso_c_binding, only: c_ptr, c_null_ptr, c_associated, c_loc, c_f_pointer, c_int, &
                                         c_int64_t, c_size_t, c_double, c_bool, c_char, c_null_char
  implicit none
  private :: c_loc, c_f_pointer, c_size_t, c_char, c_null_char
  private :: to_fortran, to_c

  ! ---- parcel/base.h

  character(*), parameter :: parcel_version = '0.1.0'
  integer, parameter :: parcel_index = c_int64_t

  integer(c_int), parameter :: &
    parcel_ok = 0, parcel_invalid = -1, parcel_out_of_range = -2, parcel_memory = -3, parcel_io = -4, &
    parcel_mpi = -5, parcel_hdf5 = -6, parcel_system = -7, parcel_kernel = -8, parcel_exists = -9, &
    parcel_space = -10, parcel_stopped = -11, parcel_timeout = -12, &
    parcel_crashed = -13, parcel_cancelled = -14, parcel_full = -15, parcel_failures = -16, &
    parcel_stalled = -17, parcel_differs = -18, parcel_corrupt = -19, parcel_unequal = -20

  type, bind(c) :: parcel_span ! [begin, end)
    integer(parcel_index) :: begin = 0, end = 0
  end type

  interface
    pure integer(c_int) function parcel_status_exit_code(status) bind(c)
      import
      integer(c_int), value :: status
    end function
  end interface

  ! ---- parcel/range.h

  type, bind(c) :: parcel_range
    integer(parcel_index) :: first = 0, step = 0, count = 0
  end type

  interface
    integer(c_int) function parcel_range_make(first, last, step, out) bind(c)
      import
      integer(parcel_index), value :: first, last, step
      type(parcel_range), intent(inout) :: out
    end function

    pure integer(parcel_index) function parcel_range_at(range, position) bind(c)
      import
      type(parcel_range), value :: range
      integer(parcel_index), value :: position
    end function
  end interface

  ! ---- parcel/block.h

  type, bind(c) :: parcel_block_grid
    integer(parcel_index) :: positions = 0, parts = 0, blocks_per_part = 0, exact = 0
  end type

  interface
    pure type(parcel_span) function parcel_block_span(n, parts, part) bind(c)
      import
      integer(parcel_index), value :: n, parts, part
    end function

    pure integer(parcel_index) function parcel_block_owner(n, parts, position) bind(c)
      import
      integer(parcel_index), value :: n, parts, position
    end function

    integer(c_int) function parcel_block_grid_make(positions, parts, block, out) bind(c)
      import
      integer(parcel_index), value :: positions, parts, block
      type(parcel_block_grid), intent(inout) :: out
    end function

    pure integer(parcel_index) function parcel_block_grid_count(grid) bind(c)
      import
      type(parcel_block_grid), value :: grid
    end function

    pure type(parcel_span) function parcel_block_grid_span(grid, block) bind(c)
      import
      type(parcel_block_grid), value :: grid
      integer(parcel_index), value :: block
    end function

    pure integer(parcel_index) function parcel_block_grid_owner(grid, position) bind(c)
      import
      type(parcel_block_grid), value :: grid
      integer(parcel_index), value :: position
    end function

    pure integer(parcel_index) function parcel_block_grid_largest(grid) bind(c)
      import
      type(parcel_block_grid), value :: grid
    end function
  end interface

  ! ---- parcel/layout.h

  interface
    integer(c_int) function parcel_layout_block(n, parts, out) bind(c)
      import
      integer(parcel_index), value :: n
      integer(c_int), value :: parts
      type(c_ptr), intent(inout) :: out
    end function

    integer(c_int) function parcel_layout_aligned(n, parts, align, out) bind(c)
      import
      integer(parcel_index), value :: n, align
      integer(c_int), value :: parts
      type(c_ptr), intent(inout) :: out
    end function

    integer(c_int) function parcel_layout_ceiling(n, parts, out) bind(c)
      import
      integer(parcel_index), value :: n
      integer(c_int), value :: parts
      type(c_ptr), intent(inout) :: out
    end function

    integer(c_int) function parcel_layout_cyclic(n, parts, block, out) bind(c)
      import
      integer(parcel_index), value :: n, block
      integer(c_int), value :: parts
      type(c_ptr), intent(inout) :: out
    end function

    integer(c_int) function parcel_layout_weighted(n, parts, weights, out) bind(c)
      import
      integer(parcel_index), value :: n
      integer(c_int), value :: parts
      real(c_double), intent(in) :: weights(*) ! [parts]
      type(c_ptr), intent(inout) :: out
    end function

    integer(c_int) function parcel_layout_explicit(parts, offsets, out) bind(c)
      import
      integer(c_int), value :: parts
      integer(parcel_index), intent(in) :: offsets(*) ! [parts + 1]
      type(c_ptr), intent(inout) :: out
    end function

    subroutine parcel_layout_free(layout) bind(c)
      import
      type(c_ptr), intent(inout) :: layout
    end subroutine

    pure integer(c_int) function parcel_layout_parts(layout) bind(c)
      import
      type(c_ptr), value :: layout
    end function

    pure integer(parcel_index) function parcel_layout_size(layout) bind(c)
      import
      type(c_ptr), value :: layout
    end function

    pure integer(parcel_index) function parcel_layout_count(layout, part) bind(c)
      import
      type(c_ptr), value :: layout
      integer(c_int), value :: part
    end function

    pure integer(c_int) function parcel_layout_owner(layout, position) bind(c)
      import
      type(c_ptr), value :: layout
      integer(parcel_index), value :: position
    end function

    pure integer(parcel_index) function parcel_layout_local(layout, position) bind(c)
      import
      type(c_ptr), value :: layout
      integer(parcel_index), value :: position
    end function

    pure integer(parcel_index) function parcel_layout_global(layout, part, local) bind(c)
      import
      type(c_ptr), value :: layout
      integer(c_int), value :: part
      integer(parcel_index), value :: local
    end function

    pure integer(parcel_index) function parcel_layout_spans(layout, part) bind(c)
      import
      type(c_ptr), value :: layout
      integer(c_int), value :: part
    end function

    pure type(parcel_span) function parcel_layout_span(layout, part, k) bind(c)
      import
      type(c_ptr), value :: layout
      integer(c_int), value :: part
      integer(parcel_index), value :: k
    end function

    pure logical(c_bool) function parcel_layout_is_contiguous(layout) bind(c)
      import
      type(c_ptr), value :: layout
    end function

    pure logical(c_bool) function parcel_layout_is_balanced(layout) bind(c)
      import
      type(c_ptr), value :: layout
    end function

    pure integer(parcel_index) function parcel_layout_min(layout) bind(c)
      import
      type(c_ptr), value :: layout
    end function

    pure integer(parcel_index) function parcel_layout_max(layout) bind(c)
      import
      type(c_ptr), value :: layout
    end function

    pure real(c_double) function parcel_layout_imbalance(layout) bind(c)
      import
      type(c_ptr), value :: layout
    end function

    pure logical(c_bool) function parcel_layout_equal(a, b) bind(c)
      import
      type(c_ptr), value :: a, b
    end function

    pure integer(c_int64_t) function parcel_layout_hash(layout) bind(c) ! the 64 bits, in a signed integer
      import
      type(c_ptr), value :: layout
    end function
  end interface

  ! ---- parcel/grid.h

  integer(c_int), parameter :: parcel_grid_dimensions = 8
  integer(c_int), parameter :: parcel_grid_block = 0, parcel_grid_cyclic = 1, parcel_grid_whole = 2

  type, bind(c) :: parcel_grid_axis ! parcel_grid_axis(extent=100, parts=4): zeros are the defaults
    integer(parcel_index) :: extent = 0
    integer(c_int) :: parts = 0, kind = parcel_grid_block
    integer(parcel_index) :: block = 0
    logical(c_bool) :: is_periodic = .false._c_bool
  end type

  type, bind(c) :: parcel_grid
    integer(c_int) :: dimensions = 0
    type(parcel_grid_axis) :: axes(parcel_grid_dimensions)
  end type

  type, bind(c) :: parcel_box
    integer(parcel_index) :: begin(parcel_grid_dimensions) = 0, end(parcel_grid_dimensions) = 0
  end type

  interface ! arrays below are [dimensions]
    integer(c_int) function parcel_grid_make(dimensions, axes, out) bind(c)
      import
      integer(c_int), value :: dimensions
      type(parcel_grid_axis), intent(in) :: axes(*)
      type(parcel_grid), intent(inout) :: out
    end function

    pure integer(c_int) function parcel_grid_parts(grid) bind(c)
      import
      type(parcel_grid), intent(in) :: grid
    end function

    integer(c_int) function parcel_grid_size(grid, out) bind(c)
      import
      type(parcel_grid), intent(in) :: grid
      integer(parcel_index), intent(inout) :: out
    end function

    pure logical(c_bool) function parcel_grid_is_equal(one, other) bind(c)
      import
      type(parcel_grid), intent(in) :: one, other
    end function

    logical(c_bool) function parcel_grid_coordinates(grid, part, coordinates) bind(c)
      import
      type(parcel_grid), intent(in) :: grid
      integer(c_int), value :: part
      integer(c_int), intent(inout) :: coordinates(*)
    end function

    pure integer(c_int) function parcel_grid_part(grid, coordinates) bind(c)
      import
      type(parcel_grid), intent(in) :: grid
      integer(c_int), intent(in) :: coordinates(*)
    end function

    pure integer(c_int) function parcel_grid_neighbour(grid, part, direction) bind(c)
      import
      type(parcel_grid), intent(in) :: grid
      integer(c_int), value :: part
      integer(c_int), intent(in) :: direction(*)
    end function

    pure integer(c_int) function parcel_grid_directions(grid) bind(c)
      import
      type(parcel_grid), intent(in) :: grid
    end function

    logical(c_bool) function parcel_grid_direction(grid, k, direction) bind(c)
      import
      type(parcel_grid), intent(in) :: grid
      integer(c_int), value :: k
      integer(c_int), intent(inout) :: direction(*)
    end function

    logical(c_bool) function parcel_grid_shift(grid, part, dimension, steps, source, destination) bind(c)
      import
      type(parcel_grid), intent(in) :: grid
      integer(c_int), value :: part, dimension, steps
      integer(c_int), intent(inout) :: source, destination
    end function

    pure integer(c_int) function parcel_grid_owner(grid, point) bind(c)
      import
      type(parcel_grid), intent(in) :: grid
      integer(parcel_index), intent(in) :: point(*)
    end function

    logical(c_bool) function parcel_grid_wrap(grid, point) bind(c)
      import
      type(parcel_grid), intent(in) :: grid
      integer(parcel_index), intent(inout) :: point(*)
    end function

    pure integer(parcel_index) function parcel_grid_count(grid, part, dimension) bind(c)
      import
      type(parcel_grid), intent(in) :: grid
      integer(c_int), value :: part, dimension
    end function

    integer(c_int) function parcel_grid_volume(grid, part, out) bind(c)
      import
      type(parcel_grid), intent(in) :: grid
      integer(c_int), value :: part
      integer(parcel_index), intent(inout) :: out
    end function

    pure integer(parcel_index) function parcel_grid_local(grid, point) bind(c)
      import
      type(parcel_grid), intent(in) :: grid
      integer(parcel_index), intent(in) :: point(*)
    end function

    logical(c_bool) function parcel_grid_global(grid, part, local, point) bind(c)
      import
      type(parcel_grid), intent(in) :: grid
      integer(c_int), value :: part
      integer(parcel_index), value :: local
      integer(parcel_index), intent(inout) :: point(*)
    end function

    pure integer(parcel_index) function parcel_grid_spans(grid, part, dimension) bind(c)
      import
      type(parcel_grid), intent(in) :: grid
      integer(c_int), value :: part, dimension
    end function

    pure type(parcel_span) function parcel_grid_span(grid, part, dimension, k) bind(c)
      import
      type(parcel_grid), intent(in) :: grid
      integer(c_int), value :: part, dimension
      integer(parcel_index), value :: k
    end function

    integer(c_int) function parcel_grid_box(grid, part, out) bind(c)
      import
      type(parcel_grid), intent(in) :: grid
      integer(c_int), value :: part
      type(parcel_box), intent(inout) :: out
    end function

    integer(c_int) function parcel_grid_halo(grid, part, widths, out) bind(c)
      import
      type(parcel_grid), intent(in) :: grid
      integer(c_int), value :: part
      integer(parcel_index), intent(in) :: widths(*)
      type(parcel_box), intent(inout) :: out
    end function
  end interface

  ! ---- parcel/schedule.h

  integer(c_int), parameter :: &
    parcel_schedule_static = 0, parcel_schedule_self = 1, parcel_schedule_fixed = 2, &
    parcel_schedule_guided = 3, parcel_schedule_trapezoid = 4, parcel_schedule_factoring = 5, &
    parcel_schedule_weighted = 6

  type, bind(c) :: parcel_schedule ! the layout it was given as shares must outlive it
    integer(c_int) :: kind = parcel_schedule_static, parts = 0
    integer(parcel_index) :: n = 0, chunk = 0, steps = 0, head = 0, first = 0, decrement = 0
    type(c_ptr) :: shares = c_null_ptr
  end type

  interface
    integer(c_int) function parcel_schedule_make(kind, n, parts, chunk, out) bind(c)
      import
      integer(c_int), value :: kind, parts
      integer(parcel_index), value :: n, chunk
      type(parcel_schedule), intent(inout) :: out
    end function

    integer(c_int) function parcel_schedule_make_weighted(n, shares, chunk, out) bind(c)
      import
      integer(parcel_index), value :: n, chunk
      type(c_ptr), value :: shares
      type(parcel_schedule), intent(inout) :: out
    end function

    pure integer(parcel_index) function parcel_schedule_steps(schedule) bind(c)
      import
      type(parcel_schedule), intent(in) :: schedule
    end function

    pure type(parcel_span) function parcel_schedule_span(schedule, step) bind(c)
      import
      type(parcel_schedule), intent(in) :: schedule
      integer(parcel_index), value :: step
    end function
  end interface

  ! ---- parcel/plan.h

  type, bind(c) :: parcel_slab
    integer(parcel_index) :: start = 0, stride = 0, block = 0, count = 0, tail = 0
  end type

  type, bind(c) :: parcel_move
    integer(c_int) :: sender = 0, receiver = 0
    integer(parcel_index) :: count = 0
    type(parcel_span) :: from, to, positions
  end type

  type, bind(c) :: parcel_plan ! its fields are its own
    private
    integer(c_int64_t) :: fields(42) = 0
  end type

  type, bind(c) :: parcel_grid_move
    integer(c_int) :: sender = 0, receiver = 0
    type(parcel_box) :: from, to, points
  end type

  type, bind(c) :: parcel_grid_plan ! its fields are its own
    private
    integer(c_int64_t) :: fields(740) = 0
  end type

  interface
    integer(c_int) function parcel_plan_slab(layout, part, out) bind(c)
      import
      type(c_ptr), value :: layout
      integer(c_int), value :: part
      type(parcel_slab), intent(inout) :: out
    end function

    pure integer(parcel_index) function parcel_slab_size(slab) bind(c)
      import
      type(parcel_slab), value :: slab
    end function

    integer(c_int) function parcel_plan_of_sender(from, to, part, out) bind(c)
      import
      type(c_ptr), value :: from, to
      integer(c_int), value :: part
      type(parcel_plan), intent(inout) :: out
    end function

    integer(c_int) function parcel_plan_of_receiver(from, to, part, out) bind(c)
      import
      type(c_ptr), value :: from, to
      integer(c_int), value :: part
      type(parcel_plan), intent(inout) :: out
    end function

    integer(c_int) function parcel_plan_between(from, sender, to, receiver, out) bind(c)
      import
      type(c_ptr), value :: from, to
      integer(c_int), value :: sender, receiver
      type(parcel_plan), intent(inout) :: out
    end function

    subroutine parcel_plan_of_slabs(from, sender, to, receiver, out) bind(c)
      import
      type(parcel_slab), value :: from, to
      integer(c_int), value :: sender, receiver
      type(parcel_plan), intent(inout) :: out
    end subroutine

    logical(c_bool) function parcel_plan_next(plan, move) bind(c)
      import
      type(parcel_plan), intent(inout) :: plan
      type(parcel_move), intent(inout) :: move
    end function

    subroutine parcel_plan_count(plan, moves, positions) bind(c)
      import
      type(parcel_plan), intent(in) :: plan
      integer(parcel_index), intent(inout) :: moves, positions
    end subroutine

    ! The grids must have the target attribute, and stay where they are while the plan is used.
    integer(c_int) function parcel_grid_plan_of_sender(from, to, part, out) bind(c)
      import
      type(parcel_grid), intent(in), target :: from, to
      integer(c_int), value :: part
      type(parcel_grid_plan), intent(inout) :: out
    end function

    integer(c_int) function parcel_grid_plan_of_receiver(from, to, part, out) bind(c)
      import
      type(parcel_grid), intent(in), target :: from, to
      integer(c_int), value :: part
      type(parcel_grid_plan), intent(inout) :: out
    end function

    logical(c_bool) function parcel_grid_plan_next(plan, move) bind(c)
      import
      type(parcel_grid_plan), intent(inout) :: plan
      type(parcel_grid_move), intent(inout) :: move
    end function

    integer(c_int) function parcel_plan_mpi_counts(layout, width, counts, displacements) bind(c)
      import
      type(c_ptr), value :: layout
      integer(parcel_index), value :: width
      integer(c_int), intent(inout) :: counts(*), displacements(*) ! [parts]
    end function

    pure integer(c_int) function parcel_plan_hyperslabs(layout, part) bind(c)
      import
      type(c_ptr), value :: layout
      integer(c_int), value :: part
    end function

    logical(c_bool) function parcel_plan_hyperslab(layout, part, k, start, stride, count, block) bind(c)
      import
      type(c_ptr), value :: layout
      integer(c_int), value :: part, k
      integer(c_int64_t), intent(inout) :: start, stride, count, block
    end function

    pure integer(c_int) function parcel_grid_plan_hyperslabs(grid, part) bind(c)
      import
      type(parcel_grid), intent(in) :: grid
      integer(c_int), value :: part
    end function

    logical(c_bool) function parcel_grid_plan_hyperslab(grid, part, k, start, stride, count, block) bind(c)
      import
      type(parcel_grid), intent(in) :: grid
      integer(c_int), value :: part, k
      integer(c_int64_t), intent(inout) :: start(*), stride(*), count(*), block(*)
    end function
  end interface

contains

  ! ---- what C says in text, and what it is told in text

  function parcel_status_name(status) result(name)
    integer(c_int), intent(in) :: status
    character(:), allocatable :: name
    interface
      type(c_ptr) function c_status_name(status) bind(c, name='parcel_status_name')
        import
        integer(c_int), value :: status
      end function
    end interface
    name = to_fortran(c_status_name(status))
  end function

  function parcel_status_text(status) result(text)
    integer(c_int), intent(in) :: status
    character(:), allocatable :: text
    interface
      type(c_ptr) function c_status_text(status) bind(c, name='parcel_status_text')
        import
        integer(c_int), value :: status
      end function
    end interface
    text = to_fortran(c_status_text(status))
  end function

  function parcel_last_error() result(text)
    character(:), allocatable :: text
    interface
      type(c_ptr) function c_last_error() bind(c, name='parcel_last_error')
        import
      end function
    end interface
    text = to_fortran(c_last_error())
  end function

  ! The text is recorded as it stands: no format as in C.
  integer(c_int) function parcel_fail(status, text)
    integer(c_int), intent(in) :: status
    character(*), intent(in) :: text
    character(:), allocatable :: format
    integer :: i
    interface
      integer(c_int) function c_fail(status, format) bind(c, name='parcel_fail')
        import
        integer(c_int), value :: status
        character(kind=c_char), intent(in) :: format(*)
      end function
    end interface
    format = ''
    do i = 1, len_trim(text)
      format = format // text(i:i)
      if (text(i:i) == '%') format = format // '%'
    end do
    parcel_fail = c_fail(status, to_c(format))
  end function

  integer(c_int) function parcel_range_parse(text, out)
    character(*), intent(in) :: text
    type(parcel_range), intent(inout) :: out
    interface
      integer(c_int) function c_range_parse(text, out) bind(c, name='parcel_range_parse')
        import
        character(kind=c_char), intent(in) :: text(*)
        type(parcel_range), intent(inout) :: out
      end function
    end interface
    parcel_range_parse = c_range_parse(to_c(text), out)
  end function

  integer(c_int) function parcel_index_parse(text, out)
    character(*), intent(in) :: text
    integer(parcel_index), intent(inout) :: out
    interface
      integer(c_int) function c_index_parse(text, out) bind(c, name='parcel_index_parse')
        import
        character(kind=c_char), intent(in) :: text(*)
        integer(parcel_index), intent(inout) :: out
      end function
    end interface
    parcel_index_parse = c_index_parse(to_c(text), out)
  end function

  function parcel_range_format(range) result(text)
    type(parcel_range), intent(in) :: range
    character(:), allocatable :: text
    character(kind=c_char), target :: buffer(72) ! PARCEL_RANGE_TEXT_SIZE
    interface
      type(c_ptr) function c_range_format(range, text, size) bind(c, name='parcel_range_format')
        import
        type(parcel_range), value :: range
        type(c_ptr), value :: text
        integer(c_size_t), value :: size
      end function
    end interface
    text = to_fortran(c_range_format(range, c_loc(buffer), size(buffer, kind=c_size_t)))
  end function

  function parcel_layout_format(layout) result(text)
    type(c_ptr), intent(in) :: layout
    character(:), allocatable :: text
    character(kind=c_char), allocatable, target :: buffer(:)
    integer(parcel_index) :: length
    interface
      integer(parcel_index) function c_layout_format(layout, text, size) &
        bind(c, name='parcel_layout_format')
        import
        type(c_ptr), value :: layout, text
        integer(c_size_t), value :: size
      end function
    end interface
    allocate (buffer(c_layout_format(layout, c_null_ptr, 0_c_size_t) + 1))
    length = c_layout_format(layout, c_loc(buffer), size(buffer, kind=c_size_t))
    text = to_fortran(c_loc(buffer))
  end function

  integer(c_int) function parcel_layout_parse(text, out)
    character(*), intent(in) :: text
    type(c_ptr), intent(inout) :: out
    interface
      integer(c_int) function c_layout_parse(text, out) bind(c, name='parcel_layout_parse')
        import
        character(kind=c_char), intent(in) :: text(*)
        type(c_ptr), intent(inout) :: out
      end function
    end interface
    parcel_layout_parse = c_layout_parse(to_c(text), out)
  end function

  ! Without extents (parcel_dims_balanced(12, 2, dims=dims)) they are C's NULL.
  integer(c_int) function parcel_dims_balanced(parts, dimensions, extents, dims)
    integer(c_int), intent(in) :: parts, dimensions
    integer(parcel_index), intent(in), optional, contiguous, target :: extents(:)
    integer(c_int), intent(inout) :: dims(*)
    type(c_ptr) :: given
    interface
      integer(c_int) function c_dims_balanced(parts, dimensions, extents, dims) &
        bind(c, name='parcel_dims_balanced')
        import
        integer(c_int), value :: parts, dimensions
        type(c_ptr), value :: extents
        integer(c_int), intent(inout) :: dims(*)
      end function
    end interface
    given = c_null_ptr
    if (present(extents)) given = c_loc(extents)
    parcel_dims_balanced = c_dims_balanced(parts, dimensions, given, dims)
  end function

  function parcel_schedule_name(kind) result(name)
    integer(c_int), intent(in) :: kind
    character(:), allocatable :: name
    interface
      type(c_ptr) function c_schedule_name(kind) bind(c, name='parcel_schedule_name')
        import
        integer(c_int), value :: kind
      end function
    end interface
    name = to_fortran(c_schedule_name(kind))
  end function

  integer(c_int) function parcel_schedule_parse(text, kind, chunk)
    character(*), intent(in) :: text
    integer(c_int), intent(inout) :: kind
    integer(parcel_index), intent(inout) :: chunk
    interface
      integer(c_int) function c_schedule_parse(text, kind, chunk) bind(c, name='parcel_schedule_parse')
        import
        character(kind=c_char), intent(in) :: text(*)
        integer(c_int), intent(inout) :: kind
        integer(parcel_index), intent(inout) :: chunk
      end function
    end interface
    parcel_schedule_parse = c_schedule_parse(to_c(text), kind, chunk)
  end function

  ! ---- the two kinds of text

  pure function to_c(text)
    character(*), intent(in) :: text
    character(kind=c_char, len=len_trim(text) + 1) :: to_c
    to_c = trim(text) // c_null_char
  end function

  function to_fortran(text)
    type(c_ptr), intent(in) :: text
    character(:), allocatable :: to_fortran
    character(kind=c_char), pointer :: letters(:)
    integer :: i
    interface
      pure integer(c_size_t) function strlen(text) bind(c)
        import
        type(c_ptr), value :: text
      end function
    end interface
    call c_f_pointer(text, letters, [strlen(text)])
    allocate (character(size(letters)) :: to_fortran)
    do i = 1, size(letters)
      to_fortran(i:i) = letters(i)
    end do
  end function
end module
