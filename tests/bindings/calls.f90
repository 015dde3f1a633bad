! The list of calls of calls.c, by the module parcel; must print the same.
program calls
  use parcel
  use, intrinsic :: iso_c_binding, only: c_sizeof
  implicit none
  integer, parameter :: i8 = parcel_index
  integer(i8), parameter :: int64_max = huge(0_i8), int64_min = ibset(0_i8, 63)
  integer, parameter :: int_max = huge(0)

  call base_calls
  call range_calls
  call block_calls
  call layout_calls
  call dims_calls
  call grid_calls
  call schedule_calls
  call plan_calls

contains

  subroutine show(what, numbers)
    character(*), intent(in) :: what
    integer(i8), intent(in) :: numbers(:)
    print "(a, ':', *(1x, i0))", what, numbers
  end subroutine

  subroutine show_text(what, text)
    character(*), intent(in) :: what, text
    print "(a, ': ''', a, '''')", what, text
  end subroutine

  ! Shows a failure; true if there is none.
  logical function works(what, status)
    character(*), intent(in) :: what
    integer, intent(in) :: status
    character(:), allocatable :: name, text
    works = status == parcel_ok
    if (works) return
    name = parcel_status_name(status)
    text = parcel_last_error()
    print "(a, ': ', a, ', ''', a, '''')", what, name, text
  end function

  integer function flag(is_true)
    logical(c_bool), intent(in) :: is_true
    flag = merge(1, 0, logical(is_true))
  end function

  subroutine base_calls
    integer :: status
    call show('statuses', [integer(i8) :: parcel_ok, parcel_invalid, parcel_out_of_range, parcel_memory, &
              parcel_io, parcel_mpi, parcel_hdf5, parcel_system, parcel_kernel, parcel_exists, parcel_space, &
              parcel_stopped, parcel_timeout, parcel_crashed, parcel_cancelled, parcel_full, &
              parcel_failures, parcel_stalled, parcel_differs, parcel_corrupt, parcel_unequal])
    call show_text('version', parcel_version)
    call show_text('no error yet', parcel_last_error())
    do status = 1, -12, -1
      call show('status', [integer(i8) :: status, parcel_status_exit_code(status)])
      call show_text('  name', parcel_status_name(status))
      call show_text('  text', parcel_status_text(status))
    end do
    status = parcel_fail(parcel_kernel, '100% of %d and %s, no' // achar(9) // 'root')
    call show('fail', [integer(i8) :: status])
    call show_text('  error', parcel_last_error())
  end subroutine

  subroutine range_calls
    character(50), parameter :: texts(*) = [character(50) :: '1..1_000_000', '10..1..-4', &
      '-9223372036854775808..-9223372036854775807', '-9223372036854775808..9223372036854775807', &
      '-9223372036854775808..9223372036854775807..2', '1..x', '', '1..2..0', '5..1', &
      '9223372036854775808..1']
    character(20), parameter :: numbers(*) = [character(20) :: '1_000_000', '-9223372036854775808', '1__0', &
      '9223372036854775808']
    integer(i8), parameter :: made(3, 8) = reshape([integer(i8) :: 1, 10, 3, 10, 1, -4, 1, 10, 0, 1, 10, -1, &
      int64_min, -1, 1, int64_min, int64_max, 1, 1, 1, -1, int64_min, -1, 1000], [3, 8])
    type(parcel_range) :: range
    integer(i8) :: number
    integer :: i
    do i = 1, size(texts)
      if (works('range_parse', parcel_range_parse(texts(i), range))) &
        call show('range_parse', [range%first, range%step, range%count, &
                                  parcel_range_at(range, range%count - 1)])
    end do
    do i = 1, size(numbers)
      if (works('index_parse', parcel_index_parse(numbers(i), number))) call show('index_parse', [number])
    end do
    do i = 1, size(made, 2)
      if (works('range_make', parcel_range_make(made(1, i), made(2, i), made(3, i), range))) then
        call show('range_make', [range%first, range%step, range%count])
        call show_text('  format', parcel_range_format(range))
      end if
    end do
    call show_text('empty', parcel_range_format(parcel_range(7, 1, 0)))
  end subroutine

  subroutine block_calls
    integer(i8), parameter :: sizes(*) = [integer(i8) :: -1, 0, 1, 10, 1000003, int64_max]
    integer(i8), parameter :: parts(*) = [integer(i8) :: 0, 1, 3, 7, 1000, int64_max]
    type(parcel_block_grid) :: grid
    type(parcel_span) :: first, middle, last, none
    integer(i8) :: n, p, count
    integer :: i, k
    do i = 1, size(sizes)
      do k = 1, size(parts)
        n = sizes(i)
        p = parts(k)
        first = parcel_block_span(n, p, 0_i8)
        middle = parcel_block_span(n, p, p / 2)
        last = parcel_block_span(n, p, p - 1)
        none = parcel_block_span(n, p, p)
        call show('block', [n, p, first%begin, first%end, middle%begin, middle%end, last%begin, last%end, &
                  none%begin, none%end, parcel_block_owner(n, p, 0_i8), parcel_block_owner(n, p, n / 2), &
                  parcel_block_owner(n, p, n - 1), parcel_block_owner(n, p, n)])
        if (.not. works('block_grid', parcel_block_grid_make(n, p, 5_i8, grid))) cycle
        count = parcel_block_grid_count(grid)
        first = parcel_block_grid_span(grid, 0_i8)
        last = parcel_block_grid_span(grid, count - 1)
        call show('block_grid', [grid%positions, grid%parts, grid%blocks_per_part, grid%exact, count, first%begin, &
                  first%end, last%begin, last%end, parcel_block_grid_owner(grid, n / 2), &
                  parcel_block_grid_largest(grid)])
      end do
    end do
  end subroutine

  ! Shows all that a layout answers, and frees it.
  subroutine show_layout(what, status, layout)
    character(*), intent(in) :: what
    integer, intent(in) :: status
    type(c_ptr), intent(inout) :: layout
    type(parcel_span) :: first, last
    type(parcel_slab) :: slab
    character(:), allocatable :: text
    integer(i8) :: n, count, spans, places(7), start, stride, blocks, block
    integer :: parts, asked(6), i, k
    if (.not. works(what, status)) return
    parts = parcel_layout_parts(layout)
    n = parcel_layout_size(layout)
    text = parcel_layout_format(layout)
    call show(what, [integer(i8) :: len(text), parts, n, flag(parcel_layout_is_contiguous(layout)), &
              flag(parcel_layout_is_balanced(layout)), parcel_layout_min(layout), parcel_layout_max(layout), &
              transfer(parcel_layout_imbalance(layout), n), parcel_layout_hash(layout), &
              flag(parcel_layout_equal(layout, layout))])
    call show_text('  format', text)
    asked = [-1, 0, 1, parts / 2, parts - 1, parts]
    do i = 1, size(asked)
      count = parcel_layout_count(layout, asked(i))
      spans = parcel_layout_spans(layout, asked(i))
      first = parcel_layout_span(layout, asked(i), 0_i8)
      last = parcel_layout_span(layout, asked(i), spans - 1)
      call show('  part', [integer(i8) :: asked(i), count, spans, first%begin, first%end, last%begin, &
                last%end, parcel_layout_global(layout, asked(i), 0_i8), &
                parcel_layout_global(layout, asked(i), count - 1), &
                parcel_layout_global(layout, asked(i), count)])
      if (works('  slab', parcel_plan_slab(layout, asked(i), slab))) &
        call show('  slab', [slab%start, slab%stride, slab%block, slab%count, slab%tail, &
                             parcel_slab_size(slab)])
      do k = 0, parcel_plan_hyperslabs(layout, asked(i))
        if (parcel_plan_hyperslab(layout, asked(i), k, start, stride, blocks, block)) &
          call show('  hyperslab', [start, stride, blocks, block])
      end do
    end do
    places = [integer(i8) :: -1, 0, 1, 6, n / 2, n - 1, n]
    do i = 1, size(places)
      call show('  position', [integer(i8) :: places(i), parcel_layout_owner(layout, places(i)), &
                parcel_layout_local(layout, places(i))])
    end do
    call parcel_layout_free(layout)
    call parcel_layout_free(layout)
  end subroutine

  subroutine layout_calls
    character(40), parameter :: texts(*) = [character(40) :: 'block(1_000_000,8)', 'ceiling(10,4)', &
      'aligned(1000,3,align=64)', 'cyclic(1000,8,block=64)', 'cyclic(10,3)', &
      'weighted(100,weights=1:2:3.5)', 'explicit(0,10,10,25)', &
      'block(9223372036854775807,2147483647)', 'block(9223372036854775808,2)', &
      'block(10)', 'blok(10,2)', 'cyclic(10,3,block=0)', 'explicit(0,3,2)', '']
    real(c_double), parameter :: weights(*) = [1.0_c_double, 0.0_c_double, 2.5_c_double, 1e-3_c_double]
    integer(i8), parameter :: sizes(*) = [integer(i8) :: -1, 0, 1, 11, 1000, int64_max]
    integer, parameter :: parts(*) = [0, 1, 4, int_max]
    type(c_ptr) :: layout, other
    integer :: i, k, status
    layout = c_null_ptr
    other = c_null_ptr
    do i = 1, size(sizes)
      do k = 1, size(parts)
        status = parcel_layout_block(sizes(i), parts(k), layout)
        call show_layout('block', status, layout)
        status = parcel_layout_aligned(sizes(i), parts(k), 8_i8, layout)
        call show_layout('aligned', status, layout)
        status = parcel_layout_ceiling(sizes(i), parts(k), layout)
        call show_layout('ceiling', status, layout)
        status = parcel_layout_cyclic(sizes(i), parts(k), 3_i8, layout)
        call show_layout('cyclic', status, layout)
      end do
    end do
    status = parcel_layout_aligned(10_i8, 2, 0_i8, layout)
    call show_layout('aligned 0', status, layout)
    status = parcel_layout_cyclic(10_i8, 2, 0_i8, layout)
    call show_layout('cyclic 0', status, layout)
    status = parcel_layout_weighted(100_i8, 4, weights, layout)
    call show_layout('weighted', status, layout)
    status = parcel_layout_weighted(int64_max, 4, weights, layout)
    call show_layout('weighted', status, layout)
    status = parcel_layout_weighted(100_i8, 4, 0 * weights, layout)
    call show_layout('weighted', status, layout)
    status = parcel_layout_weighted(100_i8, 4, [real(c_double) :: 1, -1, 1, 1], layout)
    call show_layout('weighted', status, layout)
    status = parcel_layout_explicit(3, [integer(i8) :: 0, 4, 4, 11], layout)
    call show_layout('explicit', status, layout)
    status = parcel_layout_explicit(3, [integer(i8) :: 0, 4, 3, 11], layout)
    call show_layout('explicit', status, layout)
    do i = 1, size(texts)
      status = parcel_layout_parse(texts(i), layout)
      call show_layout('parse', status, layout)
    end do
    if (works('block', parcel_layout_block(10_i8, 5, layout))) then
      if (works('ceiling', parcel_layout_ceiling(10_i8, 5, other))) &
        call show('equal', [integer(i8) :: flag(parcel_layout_equal(layout, other))])
      call parcel_layout_free(other)
      if (works('cyclic', parcel_layout_cyclic(10_i8, 5, 1_i8, other))) &
        call show('equal', [integer(i8) :: flag(parcel_layout_equal(layout, other))])
    end if
    call parcel_layout_free(other)
    call parcel_layout_free(layout)
  end subroutine

  subroutine show_box(what, box)
    character(*), intent(in) :: what
    type(parcel_box), intent(in) :: box
    call show(what, [box%begin([1, 2, 3, 8]), box%end([1, 2, 3, 8])])
  end subroutine

  subroutine dims_calls
    integer(i8), parameter :: extents(*) = [integer(i8) :: 4000, 1000, 7]
    integer, parameter :: parts(*) = [72, 12, 16, 1000003, 12, 0]
    integer, parameter :: given(3, 6) = reshape([0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, &
      5, 0, 0, 0, 0, 0], [3, 6])
    integer :: dimensions, i, dims(3)
    do dimensions = 0, 3
      do i = 1, size(parts)
        dims = given(:, i)
        if (works('dims', parcel_dims_balanced(parts(i), dimensions, dims=dims))) &
          call show('dims', [integer(i8) :: dims])
        dims = given(:, i)
        if (works('dims', parcel_dims_balanced(parts(i), dimensions, extents, dims))) &
          call show('dims', [integer(i8) :: dims])
      end do
    end do
  end subroutine

  ! Shows all that a grid of three dimensions answers about a part.
  subroutine show_part(grid, part)
    type(parcel_grid), intent(in) :: grid
    integer, intent(in) :: part
    integer(i8), parameter :: locals(*) = [integer(i8) :: -1, 0, 5, int64_max]
    type(parcel_span) :: first, last
    type(parcel_box) :: box
    integer(i8) :: spans, volume, point(3), start(3), stride(3), count(3), block(3)
    integer :: coordinates(3), source, destination, is_part, dimension, i, k
    coordinates = -7
    is_part = flag(parcel_grid_coordinates(grid, part, coordinates))
    call show('part', [integer(i8) :: part, is_part, coordinates, parcel_grid_part(grid, coordinates), &
              parcel_grid_neighbour(grid, part, [1, -1, 0])])
    do dimension = -1, 3
      spans = parcel_grid_spans(grid, part, dimension)
      first = parcel_grid_span(grid, part, dimension, 0_i8)
      last = parcel_grid_span(grid, part, dimension, spans - 1)
      call show('  dimension', [integer(i8) :: dimension, parcel_grid_count(grid, part, dimension), spans, &
                first%begin, first%end, last%begin, last%end])
      if (parcel_grid_shift(grid, part, dimension, 1, source, destination)) &
        call show('  shift', [integer(i8) :: source, destination])
    end do
    if (works('  volume', parcel_grid_volume(grid, part, volume))) call show('  volume', [volume])
    if (works('  box', parcel_grid_box(grid, part, box))) call show_box('  box', box)
    if (works('  halo', parcel_grid_halo(grid, part, [integer(i8) :: 1, 2, 0], box))) &
      call show_box('  halo', box)
    if (works('  halo', parcel_grid_halo(grid, part, [integer(i8) :: 0, 0, -1], box))) &
      call show_box('  halo', box)
    do i = 1, size(locals)
      if (parcel_grid_global(grid, part, locals(i), point)) &
        call show('  global', [point, parcel_grid_local(grid, point)])
    end do
    call show('  hyperslabs', [integer(i8) :: parcel_grid_plan_hyperslabs(grid, part)])
    do k = 0, parcel_grid_plan_hyperslabs(grid, part)
      if (.not. parcel_grid_plan_hyperslab(grid, part, k, start, stride, count, block)) cycle
      do i = 1, 3
        call show('  hyperslab', [start(i), stride(i), count(i), block(i)])
      end do
    end do
  end subroutine

  subroutine show_grid(grid, other)
    type(parcel_grid), intent(in) :: grid, other
    integer(i8), parameter :: points(3, 6) = reshape([integer(i8) :: 0, 0, 0, 3, 8, 1, -1, 12, 0, 0, -1, 0, &
      0, 0, 2, 9, 9, 1], [3, 6])
    integer(i8) :: size_of_grid, point(3)
    integer :: directions, asked(5), direction(3), i, part
    directions = parcel_grid_directions(grid)
    call show('grid', [integer(i8) :: grid%dimensions, grid%axes(1)%extent, grid%axes(2)%parts, &
              grid%axes(2)%kind, grid%axes(2)%block, flag(grid%axes(2)%is_periodic), &
              parcel_grid_parts(grid), directions, flag(parcel_grid_is_equal(grid, grid)), &
              flag(parcel_grid_is_equal(grid, other)), &
              parcel_grid_part(grid, [0, 1, 0]), parcel_grid_part(grid, [0, 7, 0]), &
              parcel_grid_part(grid, [9, 0, 0])])
    if (works('size', parcel_grid_size(grid, size_of_grid))) call show('size', [size_of_grid])
    asked = [-1, 0, 13, 25, directions]
    do i = 1, size(asked)
      if (parcel_grid_direction(grid, asked(i), direction)) &
        call show('direction', [integer(i8) :: direction, parcel_grid_neighbour(grid, 0, direction)])
    end do
    do i = 1, size(points, 2)
      point = points(:, i)
      call show('point', [integer(i8) :: parcel_grid_owner(grid, point), parcel_grid_local(grid, point)])
      if (parcel_grid_wrap(grid, point)) call show('  wrapped', point)
    end do
    do part = -1, 6
      call show_part(grid, part)
    end do
  end subroutine

  subroutine show_grid_moves(from, to)
    type(parcel_grid), intent(in), target :: from, to
    type(parcel_grid_plan) :: plan
    type(parcel_grid_move) :: move
    integer :: part
    do part = -1, 1
      if (works('grid sender', parcel_grid_plan_of_sender(from, to, part, plan))) then
        do while (parcel_grid_plan_next(plan, move))
          call show('grid sender', [integer(i8) :: move%sender, move%receiver])
          call show_box('  from', move%from)
          call show_box('  to', move%to)
          call show_box('  points', move%points)
        end do
      end if
      if (works('grid receiver', parcel_grid_plan_of_receiver(from, to, part, plan))) then
        do while (parcel_grid_plan_next(plan, move))
          call show('grid receiver', [integer(i8) :: move%sender, move%receiver])
          call show_box('  from', move%from)
          call show_box('  to', move%to)
          call show_box('  points', move%points)
        end do
      end if
    end do
  end subroutine

  subroutine grid_calls
    logical(c_bool), parameter :: periodic = .true._c_bool
    type(parcel_grid), target :: boxes, mixed, huge_grid
    call show('kinds', [integer(i8) :: parcel_grid_block, parcel_grid_cyclic, parcel_grid_whole, &
              parcel_grid_dimensions])
    if (.not. works('grid', parcel_grid_make(3, [ &
        parcel_grid_axis(10_i8, 2), parcel_grid_axis(9_i8, 3, is_periodic=periodic), &
        parcel_grid_axis(2_i8, 1)], boxes))) return
    if (.not. works('grid', parcel_grid_make(3, [ &
        parcel_grid_axis(10_i8, 3), parcel_grid_axis(9_i8, 2, parcel_grid_cyclic, 2_i8, periodic), &
        parcel_grid_axis(2_i8, kind=parcel_grid_whole)], mixed))) return
    if (.not. works('grid', parcel_grid_make(3, [ &
        parcel_grid_axis(int64_max, 3), parcel_grid_axis(int64_max, 2, is_periodic=periodic), &
        parcel_grid_axis(int64_max, 1)], huge_grid))) return
    call show_grid(boxes, mixed)
    call show_grid(mixed, boxes)
    call show_grid(huge_grid, boxes)
    call show_grid_moves(boxes, mixed)
    call show_grid_moves(boxes, huge_grid)
    if (works('grid', parcel_grid_make(3, [parcel_grid_axis(10_i8, 2), parcel_grid_axis(-1_i8, 2), &
                                           parcel_grid_axis(1_i8)], boxes))) &
      call show('grid of wrong axes', [3_i8])
    if (works('grid', parcel_grid_make(0, [parcel_grid_axis ::], boxes))) call show('grid of no axes', [0_i8])
  end subroutine

  subroutine show_schedule(what, status, schedule)
    character(*), intent(in) :: what
    integer, intent(in) :: status
    type(parcel_schedule), intent(in) :: schedule
    type(parcel_span) :: span
    integer(i8) :: steps, asked(7)
    integer :: i
    if (.not. works(what, status)) return
    steps = parcel_schedule_steps(schedule)
    call show(what, [integer(i8) :: schedule%kind, schedule%parts, schedule%n, schedule%chunk, &
              schedule%steps, schedule%head, schedule%first, schedule%decrement, &
              merge(1, 0, c_associated(schedule%shares)), steps])
    asked = [integer(i8) :: -1, 0, 1, 2, steps / 2, steps - 1, steps]
    do i = 1, size(asked)
      span = parcel_schedule_span(schedule, asked(i))
      call show('  step', [asked(i), span%begin, span%end])
    end do
  end subroutine

  subroutine schedule_calls
    character(30), parameter :: texts(*) = [character(30) :: 'static', 'guided,4', 'fixed,1_000', 'dinamic', &
      'fixed,', 'self,99999999999999999999']
    integer(i8), parameter :: sizes(*) = [integer(i8) :: -1, 0, 100, int64_max]
    integer(i8), parameter :: chunks(*) = [integer(i8) :: -1, 0, 7]
    type(parcel_schedule) :: schedule
    type(c_ptr) :: shares
    integer(i8) :: chunk
    integer :: kind, i, c, status
    call show('kinds', [integer(i8) :: parcel_schedule_static, parcel_schedule_self, parcel_schedule_fixed, &
              parcel_schedule_guided, parcel_schedule_trapezoid, parcel_schedule_factoring, &
              parcel_schedule_weighted])
    do kind = 0, 7
      call show_text('kind', parcel_schedule_name(kind))
      do i = 1, size(sizes)
        do c = 1, size(chunks)
          status = parcel_schedule_make(kind, sizes(i), 4, chunks(c), schedule)
          call show_schedule('schedule', status, schedule)
        end do
      end do
    end do
    do i = 1, size(texts)
      if (works('schedule_parse', parcel_schedule_parse(texts(i), kind, chunk))) &
        call show('schedule_parse', [integer(i8) :: kind, chunk])
    end do
    shares = c_null_ptr
    if (works('shares', parcel_layout_weighted(1000_i8, 4, [real(c_double) :: 1, 2, 0, 0.5], shares))) then
      do i = 1, size(sizes)
        status = parcel_schedule_make_weighted(sizes(i), shares, 3_i8, schedule)
        call show_schedule('weighted', status, schedule)
      end do
    end if
    call parcel_layout_free(shares)
    if (works('shares', parcel_layout_cyclic(1000_i8, 4, 1_i8, shares))) then
      status = parcel_schedule_make_weighted(100_i8, shares, 3_i8, schedule)
      call show_schedule('weighted', status, schedule)
    end if
    call parcel_layout_free(shares)
  end subroutine

  subroutine show_moves(what, plan)
    character(*), intent(in) :: what
    type(parcel_plan), intent(inout) :: plan
    type(parcel_move) :: move
    integer(i8) :: moves, positions
    call parcel_plan_count(plan, moves, positions)
    call show(what, [moves, positions])
    do while (parcel_plan_next(plan, move))
      call show('  move', [integer(i8) :: move%sender, move%receiver, move%count, move%from%begin, &
                move%from%end, move%to%begin, move%to%end, move%positions%begin, move%positions%end])
    end do
  end subroutine

  subroutine show_plans(one, other)
    character(*), intent(in) :: one, other
    type(c_ptr) :: from, to
    type(parcel_plan) :: plan
    type(parcel_slab) :: slabs(2)
    integer :: part, counts(4), displacements(4)
    integer(i8) :: width
    from = c_null_ptr
    to = c_null_ptr
    if (.not. works('from', parcel_layout_parse(one, from))) return
    if (.not. works('to', parcel_layout_parse(other, to))) return
    do part = -1, 3
      if (works('sender', parcel_plan_of_sender(from, to, part, plan))) call show_moves('sender', plan)
      if (works('receiver', parcel_plan_of_receiver(from, to, part, plan))) call show_moves('receiver', plan)
      if (works('between', parcel_plan_between(from, 1, to, part, plan))) call show_moves('between', plan)
    end do
    if (.not. works('slab', parcel_plan_slab(from, 0, slabs(1)))) return
    if (.not. works('slab', parcel_plan_slab(to, 1, slabs(2)))) return
    call parcel_plan_of_slabs(slabs(1), 10, slabs(2), 11, plan)
    call show_moves('slabs', plan)
    do width = 0, 2
      if (works('counts', parcel_plan_mpi_counts(from, width, counts, displacements))) &
        call show('counts', [integer(i8) :: counts, displacements])
    end do
    call parcel_layout_free(from)
    call parcel_layout_free(to)
  end subroutine

  subroutine plan_calls
    type(parcel_span) :: span
    type(parcel_range) :: range
    type(parcel_block_grid) :: block_grid
    type(parcel_grid_axis) :: axis
    type(parcel_grid) :: grid
    type(parcel_box) :: box
    type(parcel_schedule) :: schedule
    type(parcel_slab) :: slab
    type(parcel_move) :: move
    type(parcel_plan) :: plan
    type(parcel_grid_move) :: grid_move
    type(parcel_grid_plan) :: grid_plan
    call show('sizes', [integer(i8) :: c_sizeof(span), c_sizeof(range), c_sizeof(block_grid), &
              c_sizeof(axis), c_sizeof(grid), c_sizeof(box), c_sizeof(schedule), c_sizeof(slab), &
              c_sizeof(move), c_sizeof(plan), c_sizeof(grid_move), c_sizeof(grid_plan)])
    call show_plans('block(100,4)', 'cyclic(100,4,block=7)')
    call show_plans('cyclic(100,4,block=7)', 'explicit(0,10,10,70,100)')
    call show_plans('block(9223372036854775807,4)', 'ceiling(9223372036854775807,3)')
    call show_plans('block(100,4)', 'block(99,4)')
  end subroutine
end program
